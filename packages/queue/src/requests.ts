// What becomes of admitted stored requests. A gateway claims one, and answers it or gives the claim back; a claim that
// does neither lapses. Whether a request may be tried again depends on whether it may have been carried out; of what has
// failed, and surely was not, an operator may say that it is to be tried again.

import type { Active } from "./active.ts";
import { APPLIED, ignored, type Outcome, refused } from "./outcome.ts";
import type { Answered, Claimed, Released, Retried } from "./record.ts";
import type { QueueState } from "./state.ts";

/** How long after a claim's time-out its answer may still come in, before it lapses; in ms of log time. */
export const CLAIM_GRACE_MS = 5_000;

/** What HTTP can say as a status. */
const STATUS_MIN = 100;
const STATUS_MAX = 999;

export class StoredRequests {
  readonly #state: QueueState;

  constructor(state: QueueState) {
    this.#state = state;
  }

  claim(event: Claimed, session: bigint): Outcome {
    const { active: all, tickets, now_ms } = this.#state;
    const active = all.get(event.number);
    if (active === undefined || !active.stored || active.claim !== undefined) return ignored("not_claimable");
    if (event.attempt !== active.attempt + 1 || now_ms < active.notBefore_ms) return ignored("not_claimable");
    const { number, attempt, idempotent } = event;
    const lapses_ms = now_ms + event.timeout_ms + CLAIM_GRACE_MS;
    all.claim(active, { session, lapses_ms, idempotent });
    tickets.attempted(number, attempt);
    this.#state.await({ at_ms: lapses_ms, number, due: "lapse", attempt });
    this.#state.tell("claimed", number);
    return APPLIED;
  }

  release(event: Released, wall_ms: number): Outcome {
    const active = this.#claimed(event);
    if (active === undefined) return ignored("no_such_claim");
    active.reached ||= event.reason !== "not_connected" && event.reason !== "draining";
    if (event.reason === "lost" || event.reason === "timed_out") active.maybeDone = true;
    if (event.reason === "payload_gone") this.#giveUp(active, wall_ms);
    else this.#retryOrGiveUp(active, event.not_before_ms, wall_ms);
    return APPLIED;
  }

  /** The time of a ticket's open claim is over. */
  lapse(number: number, wall_ms: number): void {
    const active = this.#state.active.get(number)!;
    active.reached = true;
    active.maybeDone = true;
    this.#retryOrGiveUp(active, 0, wall_ms);
  }

  answer(event: Answered, wall_ms: number): Outcome {
    const { number, attempt, status } = event;
    if (status < STATUS_MIN || status > STATUS_MAX) return ignored("impossible");
    if (this.#claimed(event) === undefined) return this.#settle(event);
    this.#state.tickets.answered(number, attempt, status);
    this.#state.end(number, "completed", wall_ms);
    return APPLIED;
  }

  /** An operator's word: a failed request is tried again, in a slot of its own, beyond the rate but within the room. Its
   * attempts count on, so that each keeps a name of its own, and it has as many again. It has `max_wait` again, too:
   * most that fail have waited long, and counted from the issue the first refusal would be the last word. */
  retry({ number }: Retried): Outcome {
    const { settings, tickets } = this.#state;
    const stage = tickets.stage(number);
    if (stage === "absent") return refused("unknown_ticket");
    // In a pass queue nothing is stored to be sent, and a subject whose ticket has ended may have another.
    if (stage !== "failed" || settings.kind === "pass") return refused("not_failed");
    if (!this.#state.hasRoom) return refused("no_room");
    this.#state.resume(number);
    return APPLIED;
  }

  /** A stored request that no gateway can send (its payload is nowhere) does not keep its slot for ever. */
  failStuck(wall_ms: number): void {
    const { active: all, settings, now_ms } = this.#state;
    if (all.stored === 0) return;
    for (const active of all.values()) {
      if (now_ms - active.admitted_ms < settings.max_wait_ms) return;
      if (active.stored && active.claim === undefined) this.#giveUp(active, wall_ms);
    }
  }

  /** A late answer tells what had become of an unknown request. It frees nothing: its slot is free already. */
  #settle({ number, attempt, status }: Answered): Outcome {
    const { tickets } = this.#state;
    if (tickets.stage(number) !== "unknown") return ignored("no_such_claim");
    if (attempt < 1 || attempt > tickets.afterwards(number).attempt) return ignored("no_such_claim");
    tickets.answered(number, attempt, status);
    tickets.settle(number, "completed");
    this.#state.tell("settled", number);
    return APPLIED;
  }

  /** The ticket whose open claim is of this attempt. */
  #claimed({ number, attempt }: Released | Answered): Active | undefined {
    const active = this.#state.active.get(number);
    return active?.claim !== undefined && active.attempt === attempt ? active : undefined;
  }

  /** Makes a request claimable again, unless that might do it twice, or it was tried or has waited enough. */
  #retryOrGiveUp(active: Active, delay_ms: number, wall_ms: number): void {
    const { active: all, settings, now_ms, waited_ms } = this.#state;
    const tried = active.attempt - active.spent >= settings.attempts;
    const late = waited_ms - active.since_ms >= settings.max_wait_ms;
    if (tried || late || (active.maybeDone && !active.claim?.idempotent)) this.#giveUp(active, wall_ms);
    else {
      all.release(active, now_ms + delay_ms);
      this.#state.tell("released", active.number);
    }
  }

  /** Ends a request without an answer, and says honestly whether it may have been carried out. */
  #giveUp(active: Active, wall_ms: number): void {
    this.#state.end(active.number, active.maybeDone ? "unknown" : "failed", wall_ms);
  }
}
