// One queue: what each record does to it. This file is the product's rules; everything around it carries records
// here and answers back.
//
//   waiting ──admitted──▶ admitted ──┬─ completed   a backend's word, or the service's answer
//      │                             ├─ failed      surely not carried out, and will not be tried again
//      ├─ left                       ├─ unknown     may have been carried out; a late answer makes it completed
//      └─ expired                    ├─ left
//                                    └─ expired     its session is over
//
// An admitted ticket with a stored request is claimed by a gateway, which answers it or releases the claim; a claim
// that does neither lapses. Nobody admits: after every record the queue looks whether the next may go (`#admit`).

import { type Active, ActiveTickets } from "./active.ts";
import { AdmitRequests, REQUEST_ID_LENGTH } from "./admit-requests.ts";
import { Budget } from "./budget.ts";
import { Deadlines } from "./deadlines.ts";
import {
  APPLIED,
  type Change,
  type ChangeKind,
  ignored,
  type Outcome,
  type RefusedReason,
  refused,
} from "./outcome.ts";
import { Pace } from "./pace.ts";
import type {
  AdmitRequested,
  Answered,
  Claimed,
  Completed,
  Configured,
  Issued,
  Left,
  LogRecord,
  QueueEvent,
  Released,
} from "./record.ts";
import { Remembered } from "./remembered.ts";
import { DIGEST_WORDS, KEY_WORDS } from "./segment.ts";
import { type Settings, settingsProblems } from "./settings.ts";
import { type RequestState, type TicketState, type TicketView, viewOf } from "./ticket.ts";
import { hashWords, isHash, NUMBER_MAX, type Stage, Tickets } from "./tickets.ts";

export type { RequestState, TicketState, TicketView };

/** How long after a claim's time-out its answer may still come in, before it lapses; in ms of log time. */
export const CLAIM_GRACE_MS = 5_000;

/** How long a pass's slot outlives the pass, in ms of log time: the service's clock may be behind. */
export const PASS_GRACE_MS = 30_000;

/** The most that one Admit may ask for. */
export const ADMIT_MAX = 10_000;

/** What HTTP can say as a status. */
const STATUS_MIN = 100;
const STATUS_MAX = 999;

/** The part of a record that a queue's rules may look at. */
export type Stamp = Pick<LogRecord, "session" | "sequence" | "wall_ms">;

export class Queue {
  readonly name: string;
  #settings: Settings;
  #revision = 1;
  readonly #tickets = new Tickets();
  readonly #active = new ActiveTickets();
  readonly #deadlines = new Deadlines();
  readonly #remembered = new Remembered();
  readonly #admitRequests = new AdmitRequests();
  readonly #budget: Budget;
  readonly #pace = new Pace();
  readonly #emit: (change: Change) => void;
  /** Log time, and the part of it during which the queue was not paused. */
  #now_ms: number;
  #waited_ms = 0;
  /** Admissions so far, and the highest number among them. */
  #admissions = 0;
  #nowServing = 0;
  /** The next tick is the first since somebody began to wait. */
  #firstTick = false;

  constructor(event: Configured, now_ms: number, emit: (change: Change) => void) {
    this.name = event.queue;
    this.#settings = event.settings;
    this.#budget = new Budget(event.settings.rate_thousandths);
    this.#now_ms = now_ms;
    this.#emit = emit;
  }

  // ── What can be asked ─────────────────────────────────────────────────────────────────────────────────────────

  get settings(): Settings {
    return this.#settings;
  }

  get revision(): number {
    return this.#revision;
  }

  get waiting(): number {
    return this.#tickets.waiting;
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
    return this.#remembered.size;
  }

  get lastNumber(): number {
    return this.#tickets.last;
  }

  get nowServing(): number {
    return this.#nowServing;
  }

  get admissions(): number {
    return this.#admissions;
  }

  /** What it keeps in memory beside its tickets' numbers, in pieces: each is bounded, and this is how to see it. */
  get kept(): { segments: number; deadlines: number; admitRequests: number } {
    return {
      segments: this.#tickets.segments,
      deadlines: this.#deadlines.size,
      admitRequests: this.#admitRequests.size,
    };
  }

  /** Millionths of a ticket left to admit, for comparing replicas. */
  get budget_millionths(): number {
    return this.#budget.millionths;
  }

  /** Admissions a second, where enough was measured. */
  get pace(): number | undefined {
    return this.#pace.perSecond(this.#now_ms);
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

  /** The remembered ticket under a key, and whether the digest is the one that it was issued with. */
  byKey(key: Uint8Array, digest: Uint8Array | undefined): { number: number; same: boolean } | undefined {
    const number = this.#tickets.byKey(hashWords(key, KEY_WORDS));
    return number === 0 ? undefined : { number, same: this.#sameRequest(number, digest) };
  }

  /** Absent: not admitted, or ended. */
  activeTicket(number: number): Active | undefined {
    return this.#active.get(number);
  }

  /** Active tickets in the order of their admission. */
  activeTickets(): Iterable<Active> {
    return this.#active.values();
  }

  // ── What records do ───────────────────────────────────────────────────────────────────────────────────────────

  apply(event: QueueEvent, stamp: Stamp): Outcome {
    const outcome = this.#dispatch(event, stamp);
    if (outcome.kind !== "ignored") this.#admit(stamp.wall_ms);
    return outcome;
  }

  #dispatch(event: QueueEvent, stamp: Stamp): Outcome {
    switch (event.kind) {
      case "queue_configured":
        return this.#configure(event);
      case "ticket_issued":
        return this.#issue(event, stamp);
      case "ticket_left":
        return this.#leave(event, stamp);
      case "admit_requested":
        return this.#admitRequested(event, stamp);
      case "dispatch_claimed":
        return this.#claim(event, stamp);
      case "claim_released":
        return this.#release(event, stamp);
      case "request_answered":
        return this.#answer(event, stamp);
      case "ticket_completed":
        return this.#complete(event, stamp);
    }
  }

  /** Log time passes: what is over ends, the budget refills, and whoever may go is admitted. */
  tick(now_ms: number, wall_ms: number): void {
    const elapsed_ms = now_ms - this.#now_ms;
    this.#now_ms = now_ms;
    if (this.#settings.mode !== "paused") this.#waited_ms += elapsed_ms;
    this.#expireWaiting(wall_ms);
    this.#meetDeadlines(wall_ms);
    this.#failStuck(wall_ms);
    this.#forget();
    this.#refill(elapsed_ms);
    this.#admit(wall_ms);
  }

  /** Another node keeps time: what the former saved up is not spent twice. */
  emptyBudget(): void {
    this.#budget.empty();
  }

  #configure(event: Configured): Outcome {
    if (event.revision !== this.#revision + 1) return ignored("old_revision");
    if (event.settings.kind !== this.#settings.kind || settingsProblems(event.settings).length > 0) {
      return ignored("impossible");
    }
    this.#revision = event.revision;
    this.#settings = event.settings;
    this.#budget.configure(event.settings.rate_thousandths);
    return APPLIED;
  }

  #issue(event: Issued, stamp: Stamp): Outcome {
    if (
      !isHash(event.key, KEY_WORDS) ||
      !isHash(event.subject, KEY_WORDS) ||
      !isHash(event.digest, DIGEST_WORDS)
    ) {
      return ignored("impossible");
    }
    const key = event.key && hashWords(event.key, KEY_WORDS);
    const subject =
      event.subject && this.#settings.kind === "pass" ? hashWords(event.subject, KEY_WORDS) : undefined;
    const known = this.#known(event, key, subject);
    if (known !== undefined) return known;
    const refusal = this.#refusal();
    if (refusal !== undefined) return refused(refusal);
    this.#beginToWait();
    const number = this.#tickets.add({
      key,
      subject,
      digest: event.digest && hashWords(event.digest, DIGEST_WORDS),
      stored_request: event.stored_request,
      issued_ms: this.#waited_ms,
      issuedWall_ms: stamp.wall_ms,
      session: stamp.session,
      sequence: stamp.sequence,
    });
    return { kind: "issued", number, existing: false };
  }

  /** The ticket that is there already under the same key, or for the same subject. */
  #known(event: Issued, key: Uint32Array | undefined, subject: Uint32Array | undefined): Outcome | undefined {
    const byKey = key === undefined ? 0 : this.#tickets.byKey(key);
    if (byKey !== 0) {
      if (!this.#sameRequest(byKey, event.digest)) return refused("key_reused");
      return { kind: "issued", number: byKey, existing: true };
    }
    const bySubject = subject === undefined ? 0 : this.#tickets.bySubject(subject);
    return bySubject === 0 ? undefined : { kind: "issued", number: bySubject, existing: true };
  }

  #sameRequest(number: number, digest: Uint8Array | undefined): boolean {
    return this.#tickets.sameRequest(number, hashWords(digest ?? new Uint8Array(), DIGEST_WORDS));
  }

  /** Why no newcomer is taken now. */
  #refusal(): RefusedReason | undefined {
    if (this.#settings.mode === "closed") return "closed";
    const held = this.#tickets.waiting + this.#remembered.size;
    return held >= this.#settings.max_waiting || this.#tickets.last === NUMBER_MAX ? "full" : undefined;
  }

  /** While nobody waits, the fast path of a `defer` queue spends the limit, so its budget here starts from nothing. */
  #beginToWait(): void {
    if (this.#tickets.waiting > 0) return;
    this.#pace.begin(this.#now_ms);
    if (this.#settings.kind !== "defer") return;
    this.#budget.empty();
    this.#firstTick = true;
  }

  #refill(elapsed_ms: number): void {
    if (this.#firstTick) {
      this.#firstTick = false;
      return;
    }
    if (this.#settings.kind === "defer" && this.#tickets.waiting === 0) return;
    this.#budget.refill(elapsed_ms);
  }

  #leave(event: Left, stamp: Stamp): Outcome {
    switch (this.#tickets.stage(event.number)) {
      case "absent":
        return refused("unknown_ticket");
      case "waiting":
        this.#end(event.number, "left", stamp.wall_ms);
        return APPLIED;
      case "admitted":
        if (this.#active.get(event.number)?.claim !== undefined) return refused("claimed");
        this.#end(event.number, "left", stamp.wall_ms);
        return APPLIED;
      default:
        return APPLIED;
    }
  }

  #admitRequested(event: AdmitRequested, stamp: Stamp): Outcome {
    if (event.request_id.length !== REQUEST_ID_LENGTH) return ignored("impossible");
    const known = this.#admitRequests.get(event.request_id);
    if (known !== undefined) {
      if (!AdmitRequests.same(known.who, event.who)) return refused("key_reused");
      return { kind: "admitted", numbers: known.numbers };
    }
    if ("count" in event.who && !(event.who.count >= 1 && event.who.count <= ADMIT_MAX)) {
      return ignored("impossible");
    }
    if (this.#admitRequests.full) return refused("full");
    const named = "number" in event.who ? this.#tickets.stage(event.who.number) : undefined;
    if (named === "absent") return refused("unknown_ticket");
    const numbers =
      "count" in event.who
        ? this.#admitFront(event.who.count, stamp)
        : this.#admitOne(event.who.number, stamp);
    this.#admitRequests.add(event.request_id, { who: event.who, numbers, at_ms: this.#now_ms });
    return { kind: "admitted", numbers };
  }

  #admitFront(count: number, stamp: Stamp): number[] {
    const numbers: number[] = [];
    while (numbers.length < count && this.#hasRoom() && this.#tickets.waiting > 0) {
      const number = this.#tickets.front();
      this.#admitTicket(number, stamp.wall_ms);
      numbers.push(number);
    }
    return numbers;
  }

  #admitOne(number: number, stamp: Stamp): number[] {
    if (this.#tickets.stage(number) !== "waiting" || !this.#hasRoom()) return [];
    this.#admitTicket(number, stamp.wall_ms);
    return [number];
  }

  #claim(event: Claimed, stamp: Stamp): Outcome {
    const active = this.#active.get(event.number);
    if (active === undefined || !active.stored || active.claim !== undefined) return ignored("not_claimable");
    if (event.attempt !== active.attempt + 1 || this.#now_ms < active.notBefore_ms) {
      return ignored("not_claimable");
    }
    const lapses_ms = this.#now_ms + event.timeout_ms + CLAIM_GRACE_MS;
    this.#active.claim(active, { session: stamp.session, lapses_ms, idempotent: event.idempotent });
    this.#tickets.attempted(event.number, event.attempt);
    this.#await({ at_ms: lapses_ms, number: event.number, due: "lapse", attempt: event.attempt });
    this.#changed("claimed", event.number);
    return APPLIED;
  }

  #release(event: Released, stamp: Stamp): Outcome {
    const active = this.#active.get(event.number);
    const claim = active?.claim;
    if (active === undefined || claim === undefined || active.attempt !== event.attempt) {
      return ignored("no_such_claim");
    }
    if (event.reason === "lost" || event.reason === "timed_out") active.maybeDone = true;
    const mayTryAgain = event.reason !== "payload_gone" && (!active.maybeDone || claim.idempotent);
    this.#retryOrEnd(active, mayTryAgain, event.not_before_ms, stamp.wall_ms);
    return APPLIED;
  }

  /** Makes a stored request claimable again, unless it may not be, or has been tried or has waited enough. */
  #retryOrEnd(active: Active, mayTryAgain: boolean, delay_ms: number, wall_ms: number): void {
    const waited_ms = this.#waited_ms - this.#tickets.issued_ms(active.number);
    const enough = active.attempt >= this.#settings.attempts || waited_ms >= this.#settings.max_wait_ms;
    if (!mayTryAgain || enough) {
      this.#endUnsent(active, wall_ms);
      return;
    }
    this.#active.release(active, this.#now_ms + delay_ms);
    this.#changed("released", active.number);
  }

  /** Ends a stored request without an answer, and says honestly whether it may have been carried out. */
  #endUnsent(active: Active, wall_ms: number): void {
    this.#end(active.number, active.maybeDone ? "unknown" : "failed", wall_ms);
  }

  #answer(event: Answered, stamp: Stamp): Outcome {
    if (event.status < STATUS_MIN || event.status > STATUS_MAX) return ignored("impossible");
    const active = this.#active.get(event.number);
    if (active?.claim !== undefined && active.attempt === event.attempt) {
      this.#tickets.answered(event.number, event.attempt, event.status);
      this.#end(event.number, "completed", stamp.wall_ms);
      return APPLIED;
    }
    return this.#settle(event);
  }

  /** A late answer tells what had become of an unknown request. It frees nothing: its slot is free already. */
  #settle(event: Answered): Outcome {
    if (this.#tickets.stage(event.number) !== "unknown") return ignored("no_such_claim");
    if (event.attempt < 1 || event.attempt > this.#tickets.afterwards(event.number).attempt) {
      return ignored("no_such_claim");
    }
    this.#tickets.answered(event.number, event.attempt, event.status);
    this.#tickets.settle(event.number, "completed");
    this.#changed("settled", event.number);
    return APPLIED;
  }

  #complete(event: Completed, stamp: Stamp): Outcome {
    switch (this.#tickets.stage(event.number)) {
      case "absent":
        return refused("unknown_ticket");
      case "waiting":
        return refused("not_admitted");
      case "admitted":
        if (this.#tickets.hasRequest(event.number)) return refused("stored_request");
        this.#end(event.number, "completed", stamp.wall_ms);
        return APPLIED;
      default:
        return APPLIED;
    }
  }

  // ── What follows from them ────────────────────────────────────────────────────────────────────────────────────

  /** Admits from the front while the budget has one, there is room, and somebody waits. */
  #admit(wall_ms: number): void {
    if (this.#settings.mode === "paused") return;
    while (this.#tickets.waiting > 0 && this.#hasRoom() && this.#budget.tickets >= 1) {
      this.#budget.spend();
      this.#admitTicket(this.#tickets.front(), wall_ms);
    }
  }

  #hasRoom(): boolean {
    return this.#settings.max_active === 0 || this.#active.size < this.#settings.max_active;
  }

  #admitTicket(number: number, wall_ms: number): void {
    const stored = this.#tickets.hasRequest(number);
    this.#tickets.admit(number, ++this.#admissions, wall_ms);
    this.#active.add(number, { admission: this.#admissions, admitted_ms: this.#now_ms, stored });
    this.#nowServing = Math.max(this.#nowServing, number);
    this.#pace.admitted(this.#now_ms);
    if (!stored) {
      const grace_ms = this.#settings.kind === "pass" ? PASS_GRACE_MS : 0;
      const at_ms = this.#now_ms + this.#settings.session_ms + grace_ms;
      this.#await({ at_ms, number, due: "session", attempt: 0 });
    }
    this.#changed("admitted", number);
  }

  #end(number: number, stage: Exclude<Stage, "absent" | "waiting" | "admitted">, wall_ms: number): void {
    this.#tickets.end(number, stage, wall_ms);
    this.#active.delete(number);
    this.#remembered.add(number, this.#now_ms);
    this.#changed("ended", number);
  }

  /** Issued in this order, so the first who has not waited too long ends the search. */
  #expireWaiting(wall_ms: number): void {
    while (this.#tickets.waiting > 0) {
      const number = this.#tickets.front();
      if (this.#waited_ms - this.#tickets.issued_ms(number) < this.#settings.max_wait_ms) return;
      this.#end(number, "expired", wall_ms);
    }
  }

  #await(deadline: Parameters<Deadlines["push"]>[0]): void {
    this.#deadlines.push(deadline);
    if (this.#deadlines.size <= 2 * this.#active.size + 1024) return;
    this.#deadlines.prune((entry) => {
      const active = this.#active.get(entry.number);
      return active !== undefined && (entry.due === "session" || active.attempt === entry.attempt);
    });
  }

  #meetDeadlines(wall_ms: number): void {
    for (let due = this.#deadlines.pop(this.#now_ms); due; due = this.#deadlines.pop(this.#now_ms)) {
      const active = this.#active.get(due.number);
      if (active === undefined) continue;
      if (due.due === "session") this.#end(due.number, "expired", wall_ms);
      else if (active.claim !== undefined && active.attempt === due.attempt) this.#lapse(active, wall_ms);
    }
  }

  #lapse(active: Active, wall_ms: number): void {
    active.maybeDone = true;
    this.#retryOrEnd(active, active.claim!.idempotent, 0, wall_ms);
  }

  /** A stored request that no gateway can send (its payload is nowhere) does not keep its slot for ever. */
  #failStuck(wall_ms: number): void {
    for (const active of this.#active.values()) {
      if (this.#now_ms - active.admitted_ms < this.#settings.max_wait_ms) return;
      if (!active.stored || active.claim !== undefined) continue;
      this.#endUnsent(active, wall_ms);
    }
  }

  #forget(): void {
    const before_ms = this.#now_ms - this.#settings.key_retention_ms;
    this.#admitRequests.forget(before_ms);
    for (
      let number = this.#remembered.next(before_ms);
      number !== 0;
      number = this.#remembered.next(before_ms)
    ) {
      const origin = this.#tickets.origin(number);
      this.#tickets.forget(number);
      this.#emit({ kind: "forgotten", queue: this.name, number, origin });
    }
  }

  #changed(kind: ChangeKind, number: number): void {
    this.#emit({ kind, queue: this.name, number });
  }
}
