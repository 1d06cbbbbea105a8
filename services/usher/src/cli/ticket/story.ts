// A ticket's story: what every record of the log did to it, or would have done.

import type { Fold, LogEvent, LogRecord, Outcome } from "@usher/queue";
import type { Folded } from "../log/fold.ts";
import { type Before, type Fact, followed, type NamingEvent, saidBy } from "./facts.ts";

/** How many events of a ticket are kept; the rest is counted. A request is tried at most a hundred times, so more than
 * this is somebody asking over and over. */
const EVENTS_MAX = 1_000;

/** Before a ticket is issued, requests under its key may have been refused. How many of all keys are kept until it is
 * known which is the ticket's; the latest. */
const REFUSALS_MAX = 10_000;

/** A fact, and the record that tells it. */
export interface StoryEvent extends Fact {
  readonly offset: number;
  /** T, log time, after the record. */
  readonly log_time_ms: number;
  readonly wall_ms: number;
  /** Who wrote the record. */
  readonly node: string;
}

/** Asked of the whole log, from its beginning. */
export class Story {
  readonly queue: string;
  readonly number: number;
  readonly events: StoryEvent[] = [];
  #more = 0;
  #issued = false;
  /** The ticket's idempotency key, as the log has it; absent without one. */
  #key: string | undefined;
  #before: Before = { position: undefined, claimed: false };
  #refusals: { readonly key: string; readonly event: StoryEvent }[] = [];

  constructor(queue: string, number: number) {
    this.queue = queue;
    this.number = number;
  }

  /** The number was issued. */
  get issued(): boolean {
    return this.#issued;
  }

  /** Events that were not kept. */
  get more(): number {
    return this.#more;
  }

  /** Every record passes here, after it was folded. */
  see({ offset, record, outcome, changes }: Folded, fold: Fold): void {
    const { event } = record;
    const stamp = { offset, log_time_ms: fold.now_ms, wall_ms: record.wall_ms, node: nodeOf(record, fold) };
    if (event.kind === "ticket_issued" && event.queue === this.queue)
      this.#issue(event, outcome, fold, stamp);
    const own = this.#isNamed(event);
    if (own) this.#keep({ ...stamp, ...saidBy(event, outcome) });
    const queue = fold.queue(this.queue);
    for (const change of changes) {
      if (change.queue !== this.queue || change.number !== this.number) continue;
      const state = { own, before: this.#before, after: queue?.ticket(this.number) };
      for (const fact of followed(change.kind, event, state)) this.#keep({ ...stamp, ...fact });
    }
    if (!this.#issued) return;
    const claimed = queue?.activeTicket(this.number)?.claim !== undefined;
    this.#before = { position: queue?.position(this.number), claimed };
  }

  #isNamed(event: LogEvent): event is NamingEvent {
    return "number" in event && event.queue === this.queue && event.number === this.number;
  }

  #issue(event: Issued, outcome: Outcome, fold: Fold, stamp: Stamp): void {
    const key = event.key && Buffer.from(event.key).toString("hex");
    const sameKey = key !== undefined && key === this.#key;
    if (outcome.kind === "issued" && outcome.number === this.number) {
      if (outcome.existing) {
        this.#keep({ ...stamp, what: "found", details: { by: sameKey ? "key" : "subject" } });
        return;
      }
      this.#issued = true;
      this.#key = key;
      for (const refusal of this.#refusals) if (refusal.key === key) this.#keep(refusal.event);
      this.#refusals = [];
      this.#keep({ ...stamp, what: "issued", details: this.#newcomer(event, fold) });
    } else if (outcome.kind === "refused" && key !== undefined) {
      const refused: StoryEvent = { ...stamp, what: "refused", details: { why: outcome.reason } };
      if (sameKey) this.#keep(refused);
      if (!this.#issued) this.#refusals.push({ key, event: refused });
      if (this.#refusals.length > REFUSALS_MAX) this.#refusals.shift();
    }
  }

  #newcomer({ stored_request, key, subject }: Issued, fold: Fold): Fact["details"] {
    const queue = fold.queue(this.queue);
    return {
      // 0: admitted at once.
      position: queue?.position(this.number) ?? 0,
      waiting: queue?.waiting ?? 0,
      stored_request,
      key: key !== undefined,
      subject: subject !== undefined,
    };
  }

  #keep(event: StoryEvent): void {
    if (this.events.length < EVENTS_MAX) this.events.push(event);
    else this.#more++;
  }
}

type Issued = Extract<LogEvent, { readonly kind: "ticket_issued" }>;
type Stamp = Omit<StoryEvent, keyof Fact>;

function nodeOf({ session }: LogRecord, fold: Fold): string {
  return fold.sessions.node(session) ?? session.toString(16);
}
