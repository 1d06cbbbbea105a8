// The sessions of admitted tickets without a stored request: how long each may go on, and that those who are still
// there are given more time.

import type { Active } from "./active.ts";
import { APPLIED, type Outcome, refused } from "./outcome.ts";
import type { Extended } from "./record.ts";
import type { QueueState } from "./state.ts";

/** How long a pass's slot outlives the pass, in ms of log time: the service's clock may be behind. */
export const PASS_GRACE_MS = 30_000;

/** The time that an admitted ticket without a stored request has. */
export interface TicketSession {
  /** When it began: with the admission, or with its last extension. By the wall clock of who wrote that record, in ms
   * since 1970; what a pass says of its time comes from here. */
  readonly started_ms: number;
  /** How long it is, in ms: the queue's `session` when it began. */
  readonly length_ms: number;
  /** How often it was extended. */
  readonly extensions: number;
  /** When it ends, in ms of log time. In a pass queue the slot is freed `PASS_GRACE_MS` later. */
  readonly ends_ms: number;
}

export class TicketSessions {
  readonly #state: QueueState;

  constructor(state: QueueState) {
    this.#state = state;
  }

  /** A ticket without a stored request has been admitted. */
  begin(active: Active, wall_ms: number): void {
    this.#begin(active, wall_ms, 0);
  }

  /** A session begins anew. It never ends sooner than it would have, though sessions are shorter by now: passes that
   * were given out hold until then. Where that leaves nothing to extend, it still begins anew by the clock on the wall if
   * the record says that its pass is over: log time may have stood still. */
  extend({ number, pass_over }: Extended, wall_ms: number): Outcome {
    const { active: all, tickets, settings, now_ms } = this.#state;
    if (tickets.stage(number) === "absent") return refused("unknown_ticket");
    const active = all.get(number);
    if (active === undefined) return refused("not_admitted");
    if (active.session === undefined) return refused("stored_request");
    if (now_ms + settings.session_ms <= active.session.ends_ms && !pass_over) return APPLIED;
    this.#begin(active, wall_ms, active.session.extensions + 1);
    this.#state.tell("extended", number);
    return APPLIED;
  }

  #begin(active: Active, started_ms: number, extensions: number): void {
    const { settings, now_ms } = this.#state;
    const length_ms = settings.session_ms;
    const ends_ms = Math.max(now_ms + length_ms, active.session?.ends_ms ?? 0);
    active.session = { started_ms, length_ms, extensions, ends_ms };
    const grace_ms = settings.kind === "pass" ? PASS_GRACE_MS : 0;
    const { number } = active;
    this.#state.await({ at_ms: ends_ms + grace_ms, number, due: "session", attempt: extensions });
  }
}
