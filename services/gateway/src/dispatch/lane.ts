// One `defer` queue on this node: its meter, kept at the queue's limit, and the decision of who goes straight through.

import type { Desk, Replica } from "@usher/replica";
import { type Decision, decide, Meter, type Permit } from "@usher/traffic";
import { type Problem, problem } from "../listener/problem.ts";
import { observeDecision } from "../observe/decision.ts";

/** What became of a request: it has leave to be sent now, or the reason why not. */
export type Entry =
  | { readonly action: "pass"; readonly reason: "under_limit" | "open"; readonly permit: Permit }
  | { readonly action: "refuse"; readonly reason: string; readonly problem: Problem }
  | Extract<Decision, { action: "ticket" }>;

const CLOSED = problem("queue_closed", "it takes no newcomers at present");

export class Lane {
  readonly queue: string;
  readonly #replica: Replica;
  readonly #desk: Desk;
  readonly #nodes: number;
  readonly #notSentYet: () => number;
  #meter: Meter | undefined;
  /** Tickets that an earlier run of this node was sending when it ended: the service may still be at work on them. */
  readonly #inherited = new Set<number>();
  /** Called when a slot has become free. */
  onRoom: () => void = () => {};

  /** `notSentYet`: how many claimed requests have not gone out yet. */
  constructor(replica: Replica, queue: string, nodes: number, notSentYet: () => number) {
    this.#notSentYet = notSentYet;
    this.#replica = replica;
    this.#desk = replica.desk;
    this.queue = queue;
    this.#nodes = nodes;
  }

  /** A claim of this node's that was there before it ran: it takes room until it lapses. */
  inherit(number: number): void {
    this.#inherited.add(number);
  }

  /** A claim has ended, whosever it was. */
  claimEnded(number: number): void {
    this.#inherited.delete(number);
  }

  /** Lets a request through at once, or tells what else has to become of it. `refusal`: why it may not wait, if it has
   * to. Throws QUEUE_NOT_FOUND. */
  enter(refusal: () => Problem | undefined): Entry {
    return observeDecision(this.queue, () => {
      const entry = this.#enter();
      const problem = entry.action === "ticket" ? refusal() : undefined;
      return problem === undefined ? entry : { action: "refuse", reason: problem.reason, problem };
    });
  }

  #enter(): Entry {
    const queue = this.#desk.queue(this.queue);
    const meter = this.#configured();
    const now_ms = this.#replica.clock.monotonic_ms();
    const decision = decide({
      mode: queue.settings.mode,
      waiting: queue.waiting,
      unfolded: this.#desk.unfolded(this.queue),
      unsent: queue.unsent + this.#notSentYet(),
      lack: this.#isNarrow ? "room" : meter.lack(now_ms),
    });
    if (decision.action === "refuse") return { ...decision, problem: CLOSED };
    if (decision.action === "ticket") return decision;
    const permit = decision.reason === "open" ? meter.takeAnyway() : meter.take(now_ms);
    if (permit === undefined) return { action: "ticket", reason: "over_rate" };
    return { ...decision, permit: this.#noticed(permit) };
  }

  /** Leave to send a claimed request now, if there is any. In mode OPEN always: newcomers may fill the room, and those
   * who were here first are held to the limit by the fold. */
  take(): Permit | undefined {
    const meter = this.#configured();
    const permit = this.#open ? meter.takeAnyway() : meter.take(this.#replica.clock.monotonic_ms());
    return permit && this.#noticed(permit);
  }

  /** In how many ms `take` may succeed; Infinity where only a freed slot helps. */
  wait_ms(): number {
    if (this.#open) return 0;
    const now_ms = this.#replica.clock.monotonic_ms();
    return Math.max(0, this.#configured().nextToken_ms(now_ms) - now_ms);
  }

  get #open(): boolean {
    return this.#desk.queue(this.queue).settings.mode === "open";
  }

  /** Whether there is less room than there are nodes, so that no node's share of it is any: a node with fewer in its
   * configuration, or an older build, may have written that. Then nobody goes straight through, and those who wait are
   * held to the limit by the fold alone, which lets no more be active at once. */
  get #isNarrow(): boolean {
    const { max_active } = this.#desk.queue(this.queue).settings;
    return max_active !== 0 && max_active < this.#nodes;
  }

  #noticed(permit: Permit): Permit {
    return {
      done: () => {
        permit.done();
        this.onRoom();
      },
    };
  }

  /** The meter, at what the queue's limit is now. Tickets that are active by RPC take their part of it, too, and so do
   * claims of an earlier run. */
  #configured(): Meter {
    const { settings, activeByHand } = this.#desk.queue(this.queue);
    const { rate_thousandths, max_active } = settings;
    const nodes = this.#nodes;
    const reserved = Math.ceil(activeByHand / nodes) + this.#inherited.size;
    const limit = this.#isNarrow
      ? { rate_thousandths, max_active: nodes, nodes }
      : { rate_thousandths, max_active, reserved, nodes };
    // Nothing changes for a meter that is told the limit which it has.
    if (this.#meter === undefined) this.#meter = new Meter(limit);
    else this.#meter.configure(limit, this.#replica.clock.monotonic_ms());
    return this.#meter;
  }
}
