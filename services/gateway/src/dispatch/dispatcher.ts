// Sends stored requests when their turn has come: claims one, reads the claim back, sends, and tells the log what
// became of it. What it has claimed and what went straight through spend the same meter.
//
//   admitted ──claim──▶ sending ──┬─ answered: response stored, then called answered
//                                 ├─ surely not carried out (429, 503, no connection): released, tried again later
//                                 └─ lost or timed out: released as such; the fold calls it unknown, or retries
//
//   lane.ts      the meter and the decision      backlog.ts       what is next
//   sending.ts   one attempt at one request      doubts.ts        claims whose outcome is not known yet
//   pause.ts     how long before the next        retry-budget.ts  how many of them a service gets

import type { Active, Change } from "@usher/queue";
import type { Replica } from "@usher/replica";
import type { Permit } from "@usher/traffic";
import { observeDispatch } from "../observe/ticket.ts";
import { Backlog, type Waiting } from "./backlog.ts";
import type { Lane } from "./lane.ts";
import type { Sending } from "./sending.ts";

/** After an attempt that failed before its claim counted, in ms of log time; a second. The log or its store did not
 * answer, and while it takes no ticks either, nothing is tried. */
const AGAIN_MS = 1_000;

/** How long the node that took a request has it to itself, in ms of log time; half a second. Then any other with room
 * may claim it: the node may be dead, or have more to send than its share. */
export const OWN_MS = 500;

/** Before a request that cannot be read here is looked for again, in ms of log time; five seconds. Nodes that can read it
 * send it meanwhile. If the log's store has lost it, it is called failed then; if it is there, and none can open it, the
 * fold does so after the queue's `max_wait`. */
const ABSENT_MS = 5_000;

export class Dispatcher {
  readonly #replica: Replica;
  readonly #lane: Lane;
  readonly #sending: Sending;
  readonly #backlog = new Backlog();
  readonly #underWay = new Set<Promise<void>>();
  readonly #unlisten: () => void;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(replica: Replica, lane: Lane, sending: Sending) {
    this.#replica = replica;
    this.#lane = lane;
    this.#sending = sending;
    this.#unlisten = replica.onBatch((changes) => this.#batch(changes));
    lane.onRoom = () => this.#pump();
    for (const { number, claim } of replica.fold.queue(lane.queue)?.activeTickets() ?? []) {
      if (claim === undefined) this.#note(number);
      else if (replica.isOwn(claim)) lane.inherit(number);
    }
    this.#pump();
  }

  /** Claims nothing more, and resolves when what is being sent has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unlisten();
    clearTimeout(this.#timer);
    await Promise.allSettled(this.#underWay);
  }

  #batch(changes: readonly Change[]): void {
    for (const { queue, number, kind } of changes) {
      if (queue !== this.#lane.queue) continue;
      if (kind === "admitted" || kind === "released") this.#note(number);
      else this.#backlog.delete(number);
      if (kind === "released" || kind === "ended") this.#lane.claimEnded(number);
      if (kind === "claimed") this.#sending.claimed(number);
      if (kind === "ended") this.#sending.ended(number);
    }
    this.#pump();
  }

  /** Puts a ticket on the backlog if there is something to claim; not to be claimed within `pause_ms` of log time. */
  #note(number: number, pause_ms = 0): void {
    const { fold } = this.#replica;
    const active = fold.queue(this.#lane.queue)?.activeTicket(number);
    if (active === undefined || !active.stored || active.claim !== undefined) return;
    const notBefore_ms = Math.max(this.#claimable_ms(active), fold.now_ms + pause_ms);
    const retry = active.attempt > active.spent;
    this.#backlog.add({ number, attempt: active.attempt + 1, retry, notBefore_ms });
  }

  /** From when on this node may claim it: the one that took the request, before all others. */
  #claimable_ms({ number, admitted_ms, notBefore_ms }: Active): number {
    const ticket = this.#replica.fold.queue(this.#lane.queue)?.ticket(number);
    if (ticket === undefined || this.#replica.isOwn(ticket.origin)) return notBefore_ms;
    return Math.max(admitted_ms, notBefore_ms) + OWN_MS;
  }

  /** Sends as many as may go now, and comes back when the next one may. */
  #pump(): void {
    clearTimeout(this.#timer);
    if (this.#stopped || this.#replica.halted !== undefined) return;
    while (this.#backlog.size > 0) {
      const wait_ms = this.#lane.wait_ms();
      if (wait_ms > 0) {
        if (Number.isFinite(wait_ms)) this.#timer = setTimeout(() => this.#pump(), Math.ceil(wait_ms));
        return;
      }
      const next = this.#backlog.next(this.#replica.fold.now_ms, (number) => this.#sending.mayRetry(number));
      if (next === undefined) return;
      const permit = this.#lane.take();
      if (permit === undefined) {
        this.#backlog.add(next);
        return;
      }
      const ticket = { queue: this.#lane.queue, ...next };
      this.#track(observeDispatch(ticket, () => this.#attempt(next, permit)));
    }
  }

  /** Never rejects. What is still unclaimed after a failure is as unsent as before, and keeps its slot: it is tried
   * again. */
  async #attempt(waiting: Waiting, permit: Permit): Promise<void> {
    const { number } = waiting;
    try {
      const end = await this.#sending.attempt(waiting, permit);
      if (end === "absent") this.#note(number, ABSENT_MS);
      if (end === "later") this.#note(number);
    } catch (error) {
      this.#replica.onFault(error instanceof Error ? error : new Error(String(error)));
      this.#note(number, AGAIN_MS);
    }
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }
}
