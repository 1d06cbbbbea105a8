// One queue: what each record does to it. This file is the product's rules, and the first to read; what it leaves to
// others is
//
//   newcomers.ts   who is given a ticket              requests.ts          what becomes of stored requests
//   admission.ts   whose turn comes, and when         ticket-sessions.ts   how long those without one may stay
//   state.ts       what the queue holds               ticket.ts            a ticket as one sees it
//
//   waiting ──admitted──▶ admitted ──┬─ completed   a backend's word, or the service's answer
//      │                             ├─ failed      surely not carried out; tried again on an operator's word alone
//      ├─ left                       ├─ unknown     may have been carried out; a late answer makes it completed
//      └─ expired                    ├─ left
//                                    └─ expired     its session is over
//
// Nobody admits: after every record the queue looks whether the next may go.

import type { Active, ActiveTickets } from "./active.ts";
import { Admission } from "./admission.ts";
import type { Part } from "./description.ts";
import { type Wait, waitAt } from "./estimate.ts";
import { Newcomers } from "./newcomers.ts";
import { APPLIED, type Change, ignored, type Outcome, type RefusedReason, refused } from "./outcome.ts";
import { describeQueue } from "./queue-description.ts";
import type { Completed, Configured, Left, QueueEvent, Stamp } from "./record.ts";
import { StoredRequests } from "./requests.ts";
import { type Settings, settingsProblems } from "./settings.ts";
import { QueueState } from "./state.ts";
import { type TicketView, viewOf } from "./ticket.ts";
import { TicketSessions } from "./ticket-sessions.ts";
import type { Tickets } from "./tickets.ts";

export class Queue {
  readonly #state: QueueState;
  readonly #newcomers: Newcomers;
  readonly #admission: Admission;
  readonly #requests: StoredRequests;
  readonly #sessions: TicketSessions;
  #revision = 1;

  constructor({ queue, settings }: Configured, now_ms: number, emit: (change: Change) => void) {
    this.#state = new QueueState(queue, settings, now_ms, emit);
    this.#sessions = new TicketSessions(this.#state);
    this.#admission = new Admission(this.#state, this.#sessions);
    this.#newcomers = new Newcomers(this.#state, this.#admission);
    this.#requests = new StoredRequests(this.#state);
  }

  get #tickets(): Tickets {
    return this.#state.tickets;
  }

  get #active(): ActiveTickets {
    return this.#state.active;
  }

  // ── What can be asked ─────────────────────────────────────────────────────────────────────────────────────────

  get name(): string {
    return this.#state.name;
  }

  get settings(): Settings {
    return this.#state.settings;
  }

  get revision(): number {
    return this.#revision;
  }

  get waiting(): number {
    return this.#tickets.waiting;
  }

  /** How long the first of those who wait has waited, in ms of log time during which the queue was not paused; absent
   * while nobody waits. */
  get oldestWait_ms(): number | undefined {
    if (this.waiting === 0) return undefined;
    return this.#state.waited_ms - this.#tickets.issued_ms(this.#tickets.front());
  }

  /** Admitted and not ended. */
  get active(): number {
    return this.#active.size;
  }

  /** Active tickets without a stored request: slots that no gateway's sending will free. */
  get activeByHand(): number {
    return this.#active.size - this.#active.stored;
  }

  /** Admitted stored requests that nobody has claimed yet. */
  get unsent(): number {
    return this.#active.unsent;
  }

  /** Ended and not forgotten. */
  get remembered(): number {
    return this.#state.remembered;
  }

  get lastNumber(): number {
    return this.#tickets.last;
  }

  /** The highest number admitted. */
  get nowServing(): number {
    return this.#admission.nowServing;
  }

  get admissions(): number {
    return this.#admission.admissions;
  }

  /** What it keeps in memory beside its tickets' numbers, in pieces: each is bounded, and this is how to see it. */
  get kept(): { segments: number; deadlines: number; admitRequests: number } {
    const { tickets, deadlines } = this.#state;
    return { segments: tickets.segments, deadlines, admitRequests: this.#admission.requests };
  }

  /** Millionths of a ticket left to admit, for comparing replicas. */
  get budget_millionths(): number {
    return this.#admission.budget_millionths;
  }

  /** Admissions a second, where enough was measured. */
  get pace(): number | undefined {
    return this.#admission.measured?.perSecond;
  }

  /** How long a place in the line still waits, by the pace that was measured; absent while nobody knows: it is paused,
   * or too little was measured. */
  wait(position: number): Wait | undefined {
    const { measured } = this.#admission;
    return measured === undefined || this.settings.mode === "paused" ? undefined : waitAt(position, measured);
  }

  /** How long a newcomer would wait, behind those who wait and so many more who are on their way into the line: the
   * median, in ms; 0 where one would be admitted at once; absent while nobody knows. */
  newcomerWait_ms(ahead = 0): number | undefined {
    if (ahead === 0 && this.#admission.open) return 0;
    return this.wait(this.waiting + ahead + 1)?.p50_ms;
  }

  /** Absent: never issued, or forgotten. */
  ticket(number: number): TicketView | undefined {
    return viewOf(number, this.#tickets, this.#active);
  }

  /** Live tickets ahead plus one; 0 once admitted; absent after the end. */
  position(number: number): number | undefined {
    const stage = this.#tickets.stage(number);
    if (stage === "waiting") return this.#tickets.position(number);
    return stage === "admitted" ? 0 : undefined;
  }

  /** The remembered ticket under a key, and whether the digest is the one that it came with. */
  byKey(key: Uint8Array, digest: Uint8Array | undefined): { number: number; same: boolean } | undefined {
    return this.#newcomers.byKey(key, digest);
  }

  /** The live ticket of a subject; there are none in a `defer` queue. */
  bySubject(subject: Uint8Array): number | undefined {
    return this.#newcomers.bySubject(subject);
  }

  /** Why no newcomer is taken now; absent when one is. */
  get refusal(): RefusedReason | undefined {
    return this.#newcomers.refusal;
  }

  /** Why somebody with this key and this subject is given no ticket now; absent when they are given one, or have it. */
  refusalOf(key: Uint8Array | undefined, subject: Uint8Array | undefined): RefusedReason | undefined {
    return this.#newcomers.refusalOf(key, subject);
  }

  /** Absent: not admitted, or ended. */
  activeTicket(number: number): Active | undefined {
    return this.#active.get(number);
  }

  /** Active tickets in the order in which they took their slots. */
  activeTickets(): Iterable<Active> {
    return this.#active.values();
  }

  /** All that it is, piece by piece. */
  describe(): Iterable<Part> {
    return describeQueue(this, this.#state, this.#admission);
  }

  // ── What records do ───────────────────────────────────────────────────────────────────────────────────────────

  apply(event: QueueEvent, stamp: Stamp): Outcome {
    const outcome = this.#dispatch(event, stamp);
    if (outcome.kind !== "ignored") this.#admission.admit(stamp.wall_ms);
    return outcome;
  }

  #dispatch(event: QueueEvent, stamp: Stamp): Outcome {
    switch (event.kind) {
      case "queue_configured":
        return this.#configure(event);
      case "ticket_issued":
        return this.#newcomers.issue(event, stamp);
      case "ticket_left":
        return this.#leave(event, stamp);
      case "admit_requested":
        return this.#admission.request(event, stamp.wall_ms);
      case "dispatch_claimed":
        return this.#requests.claim(event, stamp.session);
      case "claim_released":
        return this.#requests.release(event, stamp.wall_ms);
      case "request_answered":
        return this.#requests.answer(event, stamp.wall_ms);
      case "request_retried":
        return this.#requests.retry(event);
      case "ticket_completed":
        return this.#complete(event, stamp);
      case "session_extended":
        return this.#sessions.extend(event, stamp.wall_ms);
    }
  }

  /** Log time passes: what is over ends, the budget refills, and whoever may go is admitted. */
  tick(now_ms: number, wall_ms: number): void {
    const elapsed_ms = this.#state.pass(now_ms);
    this.#expireWaiting(wall_ms);
    this.#meetDeadlines(wall_ms);
    this.#requests.failStuck(wall_ms);
    this.#forget();
    this.#admission.refill(elapsed_ms);
    this.#admission.admit(wall_ms);
  }

  /** Another node keeps time: what the former saved up is not spent twice. */
  emptyBudget(): void {
    this.#admission.emptyBudget();
  }

  #configure({ revision, settings }: Configured): Outcome {
    if (revision !== this.#revision + 1) return ignored("old_revision");
    if (settings.kind !== this.settings.kind || settingsProblems(settings).length > 0) {
      return ignored("impossible");
    }
    const former = this.settings;
    this.#revision = revision;
    this.#state.settings = settings;
    this.#admission.configure(former);
    return APPLIED;
  }

  #leave(event: Left, stamp: Stamp): Outcome {
    switch (this.#tickets.stage(event.number)) {
      case "absent":
        return refused("unknown_ticket");
      case "waiting":
        this.#state.end(event.number, "left", stamp.wall_ms);
        return APPLIED;
      case "admitted":
        if (this.#active.get(event.number)?.claim !== undefined) return refused("claimed");
        this.#state.end(event.number, "left", stamp.wall_ms);
        return APPLIED;
      default:
        return APPLIED;
    }
  }

  #complete(event: Completed, stamp: Stamp): Outcome {
    switch (this.#tickets.stage(event.number)) {
      case "absent":
        return refused("unknown_ticket");
      case "waiting":
        return refused("not_admitted");
      case "admitted":
        if (this.#tickets.hasRequest(event.number)) return refused("stored_request");
        this.#state.end(event.number, "completed", stamp.wall_ms);
        return APPLIED;
      default:
        return APPLIED;
    }
  }

  // ── What follows from them ────────────────────────────────────────────────────────────────────────────────────

  /** Issued in this order, so the first who has not waited too long ends the search. */
  #expireWaiting(wall_ms: number): void {
    while (this.#tickets.waiting > 0) {
      const number = this.#tickets.front();
      if (this.#state.waited_ms - this.#tickets.issued_ms(number) < this.settings.max_wait_ms) return;
      this.#state.end(number, "expired", wall_ms);
    }
  }

  #meetDeadlines(wall_ms: number): void {
    for (let due = this.#state.nextDue(); due !== undefined; due = this.#state.nextDue()) {
      if (due.due === "session") this.#state.end(due.number, "expired", wall_ms);
      else this.#requests.lapse(due.number, wall_ms);
    }
  }

  #forget(): void {
    const by_ms = this.#state.now_ms - this.settings.key_retention_ms;
    this.#admission.forget(by_ms);
    this.#state.forget(by_ms);
  }
}
