// One queue by the same rules, as naively as they can be said: arrays of plain objects, every question answered by
// looking at all of them. Written from the design, not from `src`: where the two differ, one of them is wrong.

import type {
  Change,
  LogRecord,
  Outcome,
  QueueEvent,
  RequestState,
  Settings,
  TicketState,
  TicketView,
} from "../src/index.ts";
import { settingsProblems } from "../src/index.ts";

type Event<Kind extends QueueEvent["kind"]> = Extract<QueueEvent, { kind: Kind }>;
type Who = Event<"admit_requested">["who"];
type Stage = "waiting" | "admitted" | "completed" | "failed" | "unknown" | "left" | "expired";

export interface ReferenceTicket {
  readonly number: number;
  readonly key: string | undefined;
  readonly subject: string | undefined;
  readonly digest: string;
  /** Keys that it was found under by its subject, and what was asked for under each. */
  readonly aliases: { readonly key: string; readonly digest: string }[];
  readonly stored: boolean;
  readonly origin: { session: bigint; sequence: number };
  /** On the queue's waiting clock, which stands still while it is paused. */
  readonly issued_ms: number;
  readonly issuedWall_ms: number;
  stage: Stage;
  admission?: number;
  admitted_ms?: number;
  admittedWall_ms?: number;
  /** Of a ticket without a stored request. */
  session?: { started_ms: number; length_ms: number; extensions: number; ends_ms: number };
  /** When its slot is freed. */
  over_ms?: number;
  ended_ms?: number;
  endedWall_ms?: number;
  /** Claims so far. */
  claims: number;
  /** Those of them that were before it was last tried again, by an operator's word. */
  claimsBefore: number;
  /** When that was, on the queue's waiting clock. */
  retriedWaited_ms?: number;
  claim?: { session: bigint; lapses_ms: number; idempotent: boolean };
  notBefore_ms: number;
  reached: boolean;
  maybeDone: boolean;
  answer?: { attempt: number; status: number };
}

const TICKET = 1_000_000;
const APPLIED: Outcome = { kind: "applied" };
const IMPOSSIBLE: Outcome = { kind: "ignored", reason: "impossible" };
const NOT_CLAIMABLE: Outcome = { kind: "ignored", reason: "not_claimable" };
const NO_SUCH_CLAIM: Outcome = { kind: "ignored", reason: "no_such_claim" };
const UNKNOWN_TICKET: Outcome = { kind: "refused", reason: "unknown_ticket" };

export class ReferenceQueue {
  readonly name: string;
  settings: Settings;
  revision = 1;
  now_ms: number;
  waited_ms = 0;
  issued = 0;
  admissions = 0;
  nowServing = 0;
  /** In millionths of a ticket. */
  budget: number;
  skipsRefill = false;
  /** Since when the pace is measured, and the admissions since. */
  paceSince_ms: number | undefined;
  paceTimes_ms: number[] = [];
  /** Issued and not forgotten, by number. */
  tickets: ReferenceTicket[] = [];
  /** Ended and not forgotten, in the order of their end. */
  ended: ReferenceTicket[] = [];
  /** Admitted and not ended, in the order of admission. */
  active: ReferenceTicket[] = [];
  admits: { id: string; who: Who; numbers: number[]; at_ms: number }[] = [];
  readonly #changes: Change[];

  constructor(event: Event<"queue_configured">, now_ms: number, changes: Change[]) {
    this.name = event.queue;
    this.settings = event.settings;
    this.now_ms = now_ms;
    this.#changes = changes;
    this.budget = this.#burst();
  }

  waiting(): ReferenceTicket[] {
    return this.tickets.filter((ticket) => ticket.stage === "waiting");
  }

  /** Admission is evaluated after every record of the queue. */
  apply(event: QueueEvent, record: LogRecord): Outcome {
    const outcome = this.#decide(event, record);
    this.#admitWhoMay(record);
    return outcome;
  }

  #decide(event: QueueEvent, record: LogRecord): Outcome {
    const ticket = "number" in event ? this.#find(event.number) : undefined;
    switch (event.kind) {
      case "queue_configured":
        return this.#configure(event);
      case "ticket_issued":
        return this.#issue(event, record);
      case "admit_requested":
        return this.#requestAdmission(event, record);
      case "ticket_left":
        if (ticket === undefined) return UNKNOWN_TICKET;
        if (ticket.claim !== undefined) return { kind: "refused", reason: "claimed" };
        if (!over(ticket)) this.#end(ticket, "left", record);
        return APPLIED;
      case "ticket_completed":
        if (ticket === undefined) return UNKNOWN_TICKET;
        if (ticket.stage === "waiting") return { kind: "refused", reason: "not_admitted" };
        if (ticket.stage === "admitted" && ticket.stored)
          return { kind: "refused", reason: "stored_request" };
        if (!over(ticket)) this.#end(ticket, "completed", record);
        return APPLIED;
      case "dispatch_claimed":
        return this.#claim(event, ticket, record);
      case "claim_released":
        if (ticket?.claim === undefined || ticket.claims !== event.attempt) return NO_SUCH_CLAIM;
        if (event.reason !== "not_connected" && event.reason !== "draining") ticket.reached = true;
        if (event.reason === "lost" || event.reason === "timed_out") ticket.maybeDone = true;
        this.#giveBack(ticket, event.reason !== "payload_gone", event.not_before_ms, record);
        return APPLIED;
      case "request_answered":
        return this.#answer(event, ticket, record);
      case "request_retried":
        return this.#retry(ticket);
      case "session_extended":
        return this.#extend(ticket, event, record);
    }
  }

  #configure(event: Event<"queue_configured">): Outcome {
    if (event.revision !== this.revision + 1) return { kind: "ignored", reason: "old_revision" };
    const changesKind = event.settings.kind !== this.settings.kind;
    if (changesKind || settingsProblems(event.settings).length > 0) return IMPOSSIBLE;
    const { rate_thousandths, max_active, mode } = this.settings;
    this.revision = event.revision;
    this.settings = event.settings;
    const samePause = (mode === "paused") === (event.settings.mode === "paused");
    const sameLimit =
      rate_thousandths === event.settings.rate_thousandths && max_active === event.settings.max_active;
    if (!samePause || !sameLimit) {
      this.paceSince_ms = this.now_ms;
      this.paceTimes_ms = [];
    }
    this.budget = Math.min(this.budget, this.#burst());
    return APPLIED;
  }

  #issue(event: Event<"ticket_issued">, record: LogRecord): Outcome {
    const { key, subject, digest } = event;
    if (wrongLength(key, 16) || wrongLength(subject, 16) || wrongLength(digest, 8)) return IMPOSSIBLE;
    const asked = hex(digest ?? new Uint8Array(8));
    const sameKey = key && this.byKey(hex(key));
    if (sameKey !== undefined && sameKey.digest !== asked) return { kind: "refused", reason: "key_reused" };
    const sameSubject = this.tickets.find(
      (ticket) => subject !== undefined && ticket.subject === hex(subject) && !over(ticket),
    );
    const there = sameKey?.ticket ?? sameSubject;
    const known = this.tickets.reduce((sum, { aliases }) => sum + aliases.length, 0);
    const held = this.waiting().length + this.ended.length + known;
    const isFull = held >= this.settings.max_waiting;
    if (there !== undefined && sameKey === undefined && key !== undefined && event.adopt_key) {
      if (isFull || there.aliases.length === 16) return { kind: "refused", reason: "full" };
      there.aliases.push({ key: hex(key), digest: asked });
    }
    if (there !== undefined) return { kind: "issued", number: there.number, existing: true };
    if (this.settings.mode === "closed") return { kind: "refused", reason: "closed" };
    if (isFull) return { kind: "refused", reason: "full" };
    if (this.waiting().length === 0) {
      this.paceSince_ms = this.now_ms;
      this.paceTimes_ms = [];
    }
    if (this.settings.kind === "defer" && this.waiting().length === 0) {
      this.budget = 0;
      this.skipsRefill = true;
    }
    this.issued++;
    this.tickets.push({
      number: this.issued,
      stage: "waiting",
      key: key && hex(key),
      subject: subject && this.settings.kind === "pass" ? hex(subject) : undefined,
      digest: asked,
      aliases: [],
      stored: event.stored_request,
      origin: { session: record.session, sequence: record.sequence },
      issued_ms: this.waited_ms,
      issuedWall_ms: record.wall_ms,
      claims: 0,
      claimsBefore: 0,
      notBefore_ms: 0,
      reached: false,
      maybeDone: false,
    });
    return { kind: "issued", number: this.issued, existing: false };
  }

  /** The ticket that was issued or found under a key, and what was asked for under it. */
  byKey(key: string): { ticket: ReferenceTicket; digest: string } | undefined {
    for (const ticket of this.tickets) {
      const names = [{ key: ticket.key, digest: ticket.digest }, ...ticket.aliases];
      const name = names.find((other) => other.key === key);
      if (name !== undefined) return { ticket, digest: name.digest };
    }
    return undefined;
  }

  #requestAdmission({ request_id, who }: Event<"admit_requested">, record: LogRecord): Outcome {
    if (request_id.length !== 32) return IMPOSSIBLE;
    const before = this.admits.find(({ id }) => id === request_id);
    if (before !== undefined && !sameWho(before.who, who)) return { kind: "refused", reason: "key_reused" };
    if (before !== undefined) return { kind: "admitted", numbers: before.numbers };
    if ("count" in who && (who.count < 1 || who.count > 10_000)) return IMPOSSIBLE;
    if (this.admits.length >= 10_000) return { kind: "refused", reason: "full" };
    if ("number" in who && this.#find(who.number) === undefined) return UNKNOWN_TICKET;
    const wanted =
      "count" in who
        ? this.waiting().slice(0, who.count)
        : this.waiting().filter(({ number }) => number === who.number);
    const numbers: number[] = [];
    for (const ticket of wanted) {
      if (!this.#room()) break;
      this.#admit(ticket, record);
      numbers.push(ticket.number);
    }
    this.admits.push({ id: request_id, who, numbers, at_ms: this.now_ms });
    return { kind: "admitted", numbers };
  }

  #claim(event: Event<"dispatch_claimed">, ticket: ReferenceTicket | undefined, record: LogRecord): Outcome {
    if (ticket?.stage !== "admitted" || !ticket.stored || ticket.claim !== undefined) return NOT_CLAIMABLE;
    if (event.attempt !== ticket.claims + 1 || this.now_ms < ticket.notBefore_ms) return NOT_CLAIMABLE;
    ticket.claims++;
    ticket.claim = {
      session: record.session,
      lapses_ms: this.now_ms + event.timeout_ms + 5_000,
      idempotent: event.idempotent,
    };
    this.#tell("claimed", ticket);
    return APPLIED;
  }

  #answer(event: Event<"request_answered">, ticket: ReferenceTicket | undefined, record: LogRecord): Outcome {
    if (event.status < 100 || event.status > 999) return IMPOSSIBLE;
    const answer = { attempt: event.attempt, status: event.status };
    if (ticket?.claim !== undefined && ticket.claims === event.attempt) {
      ticket.answer = answer;
      this.#end(ticket, "completed", record);
      return APPLIED;
    }
    const late = ticket?.stage === "unknown" && event.attempt >= 1 && event.attempt <= ticket.claims;
    if (!late) return NO_SUCH_CLAIM;
    ticket.answer = answer;
    ticket.stage = "completed";
    this.#tell("settled", ticket);
    return APPLIED;
  }

  /** An operator's word: what has failed goes into a slot again, as if it had just come there from the front of the line;
   * but with its number, its place in the order of admissions, and its attempts counting on. */
  #retry(ticket: ReferenceTicket | undefined): Outcome {
    if (ticket === undefined) return UNKNOWN_TICKET;
    const isRequest = this.settings.kind === "defer" && ticket.stage === "failed";
    if (!isRequest) return { kind: "refused", reason: "not_failed" };
    if (!this.#room()) return { kind: "refused", reason: "no_room" };
    this.ended = this.ended.filter((other) => other !== ticket);
    this.active.push(ticket);
    ticket.stage = "admitted";
    ticket.admitted_ms = this.now_ms;
    ticket.retriedWaited_ms = this.waited_ms;
    ticket.claimsBefore = ticket.claims;
    ticket.ended_ms = undefined;
    ticket.endedWall_ms = undefined;
    ticket.notBefore_ms = 0;
    ticket.reached = false;
    ticket.maybeDone = false;
    this.#tell("admitted", ticket);
    return APPLIED;
  }

  /** Somebody who was let in is still there. */
  #extend(
    ticket: ReferenceTicket | undefined,
    { pass_over }: Event<"session_extended">,
    record: LogRecord,
  ): Outcome {
    if (ticket === undefined) return UNKNOWN_TICKET;
    if (ticket.stage !== "admitted") return { kind: "refused", reason: "not_admitted" };
    if (ticket.session === undefined) return { kind: "refused", reason: "stored_request" };
    const { ends_ms, extensions } = ticket.session;
    const isShorter = this.now_ms + this.settings.session_ms <= ends_ms;
    if (isShorter && pass_over !== true) return APPLIED;
    this.#beginSession(ticket, record, extensions + 1);
    if (isShorter) this.#endSession(ticket, ends_ms);
    this.#tell("extended", ticket);
    return APPLIED;
  }

  #beginSession(ticket: ReferenceTicket, record: LogRecord, extensions: number): void {
    const length_ms = this.settings.session_ms;
    ticket.session = { started_ms: record.wall_ms, length_ms, extensions, ends_ms: 0 };
    this.#endSession(ticket, this.now_ms + length_ms);
  }

  #endSession(ticket: ReferenceTicket, ends_ms: number): void {
    ticket.session = { ...ticket.session!, ends_ms };
    ticket.over_ms = ends_ms + (this.settings.kind === "pass" ? 30_000 : 0);
  }

  /** A claim is over without an answer: the request may be claimed again, or it is at its end. */
  #giveBack(ticket: ReferenceTicket, there: boolean, delay_ms: number, record: LogRecord): void {
    const again = there && (!ticket.maybeDone || ticket.claim!.idempotent);
    const waited_ms = this.waited_ms - (ticket.retriedWaited_ms ?? ticket.issued_ms);
    const tries = ticket.claims - ticket.claimsBefore;
    if (again && tries < this.settings.attempts && waited_ms < this.settings.max_wait_ms) {
      ticket.claim = undefined;
      ticket.notBefore_ms = this.now_ms + delay_ms;
      this.#tell("released", ticket);
    } else this.#end(ticket, ticket.maybeDone ? "unknown" : "failed", record);
  }

  tick(now_ms: number, record: LogRecord): void {
    const elapsed_ms = now_ms - this.now_ms;
    const { settings } = this;
    this.now_ms = now_ms;
    if (settings.mode !== "paused") this.waited_ms += elapsed_ms;
    for (const ticket of this.waiting()) {
      if (this.waited_ms - ticket.issued_ms >= settings.max_wait_ms) this.#end(ticket, "expired", record);
    }
    this.#meetDeadlines(record);
    for (const ticket of [...this.active]) {
      const stuck = ticket.stored && ticket.claim === undefined;
      if (!stuck || now_ms - ticket.admitted_ms! < settings.max_wait_ms) continue;
      this.#end(ticket, ticket.maybeDone ? "unknown" : "failed", record);
    }
    this.#forget(now_ms - settings.key_retention_ms);
    const refills = settings.kind === "pass" || this.waiting().length > 0;
    if (refills && !this.skipsRefill) {
      this.budget = Math.min(this.#burst(), this.budget + settings.rate_thousandths * elapsed_ms);
    }
    this.skipsRefill = false;
    this.#admitWhoMay(record);
  }

  /** When sessions and claims are over, the earliest first. */
  awaited(): { ticket: ReferenceTicket; at_ms: number }[] {
    return this.active
      .map((ticket) => ({ ticket, at_ms: ticket.over_ms ?? ticket.claim?.lapses_ms ?? Infinity }))
      .filter(({ at_ms }) => at_ms < Infinity)
      .sort((a, b) => a.at_ms - b.at_ms || a.ticket.number - b.ticket.number);
  }

  /** Sessions and claims whose time is over, the earliest first. */
  #meetDeadlines(record: LogRecord): void {
    for (const { ticket, at_ms } of this.awaited()) {
      if (at_ms > this.now_ms) return;
      if (!ticket.stored) this.#end(ticket, "expired", record);
      else {
        ticket.reached = true;
        ticket.maybeDone = true;
        this.#giveBack(ticket, true, 0, record);
      }
    }
  }

  #forget(by_ms: number): void {
    this.admits = this.admits.filter(({ at_ms }) => at_ms > by_ms);
    const isForgotten = ({ ended_ms }: ReferenceTicket) => ended_ms !== undefined && ended_ms <= by_ms;
    const forgotten = this.ended.filter(isForgotten);
    this.ended = this.ended.filter((ticket) => !isForgotten(ticket));
    this.tickets = this.tickets.filter((ticket) => !isForgotten(ticket));
    for (const { number, origin } of forgotten) {
      this.#changes.push({ kind: "forgotten", queue: this.name, number, origin });
    }
  }

  #admitWhoMay(record: LogRecord): void {
    const { mode, rate_thousandths: rate } = this.settings;
    for (const next of mode === "paused" ? [] : this.waiting()) {
      if (!this.#room() || (rate > 0 && this.budget < TICKET)) return;
      if (rate > 0) this.budget -= TICKET;
      this.#admit(next, record);
    }
  }

  #admit(ticket: ReferenceTicket, record: LogRecord): void {
    ticket.stage = "admitted";
    ticket.admission = ++this.admissions;
    ticket.admitted_ms = this.now_ms;
    ticket.admittedWall_ms = record.wall_ms;
    if (!ticket.stored) this.#beginSession(ticket, record, 0);
    this.nowServing = Math.max(this.nowServing, ticket.number);
    this.paceTimes_ms.push(this.now_ms);
    this.active.push(ticket);
    this.#tell("admitted", ticket);
  }

  #end(ticket: ReferenceTicket, stage: Stage, record: LogRecord): void {
    ticket.stage = stage;
    ticket.claim = undefined;
    ticket.ended_ms = this.now_ms;
    ticket.endedWall_ms = record.wall_ms;
    this.active = this.active.filter((other) => other !== ticket);
    this.ended.push(ticket);
    this.#tell("ended", ticket);
  }

  #tell(kind: Change["kind"], { number }: ReferenceTicket): void {
    this.#changes.push({ kind, queue: this.name, number });
  }

  #room(): boolean {
    return this.settings.max_active === 0 || this.active.length < this.settings.max_active;
  }

  /** 200 ms of the rate, at least one ticket and 100 ms of it. */
  #burst(): number {
    const { rate_thousandths } = this.settings;
    return Math.max(TICKET + rate_thousandths * 100, rate_thousandths * 200);
  }

  #find(number: number): ReferenceTicket | undefined {
    return this.tickets.find((ticket) => ticket.number === number);
  }

  /** Every ticket that is not forgotten, as it shows. */
  views(): TicketView[] {
    const line = new Map(this.waiting().map(({ number }, ahead) => [number, ahead + 1]));
    return this.tickets.map((ticket) => ({
      number: ticket.number,
      state: STATE[ticket.stage],
      request: ticket.stored ? requestState(ticket) : undefined,
      // Live tickets ahead plus one; 0 once admitted; absent after the end.
      position: ticket.stage === "admitted" ? 0 : line.get(ticket.number),
      issuedWall_ms: ticket.issuedWall_ms,
      admittedWall_ms: ticket.admittedWall_ms,
      endedWall_ms: ticket.endedWall_ms,
      origin: ticket.origin,
      admission: ticket.admission,
      attempt: ticket.answer?.attempt ?? ticket.claims,
      status: ticket.answer?.status,
      session: ticket.stage === "admitted" ? ticket.session : undefined,
    }));
  }
}

const STATE: Record<Stage, TicketState> = {
  waiting: "waiting",
  admitted: "admitted",
  completed: "completed",
  failed: "completed",
  unknown: "completed",
  left: "left",
  expired: "expired",
};

function requestState({ stage, claim }: ReferenceTicket): RequestState | undefined {
  if (stage === "waiting") return "stored";
  if (stage === "admitted") return claim === undefined ? "stored" : "sending";
  if (stage === "completed") return "answered";
  return stage === "failed" || stage === "unknown" ? stage : undefined;
}

function over({ stage }: ReferenceTicket): boolean {
  return stage !== "waiting" && stage !== "admitted";
}

function sameWho(one: Who, other: Who): boolean {
  if ("count" in one) return "count" in other && one.count === other.count;
  return "number" in other && one.number === other.number;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function wrongLength(bytes: Uint8Array | undefined, length: number): boolean {
  return bytes !== undefined && bytes.length !== length;
}
