// Writes moves down as the records that nodes would append, and as they land in the log: duplicated, late, or never.
// The reference is asked who waits or is claimed by then, so that histories get far instead of being mostly nonsense.

import type { LogEvent, LogRecord, QueueEvent, Settings } from "../src/index.ts";
import {
  type Among,
  DEFER,
  type Move,
  PASS,
  type Pick,
  type Sending,
  type TicketWish,
  UINT32_MAX,
  WRITERS,
  type Written,
} from "./moves.ts";
import { Reference } from "./reference.ts";
import type { ReferenceQueue, ReferenceTicket } from "./reference-queue.ts";

/** What the tickets of histories are known by. */
export const KEYS = Array.from({ length: 8 }, (_, at) => bytes(16, at + 1));
export const DIGESTS = [bytes(8, 0xa1), bytes(8, 0xa2)] as const;
export const SUBJECTS = Array.from({ length: 5 }, (_, at) => bytes(16, at + 101));
const WALL_MS = 1_790_000_000_000;

/** Moves that make one record, sent like any other. */
type OneRecord = Exclude<Move, { do: "sleep" | "restart" | "open oddly" | "crowd in" | "issue" }>;

interface Writer {
  session: bigint;
  sequence: number;
  former: { session: bigint; sequence: number };
}

export class Scribe {
  readonly #records: LogRecord[] = [];
  readonly #reference = new Reference();
  readonly #writers: Writer[] = [];
  #held: { record: LogRecord; after: number }[] = [];
  #sessions = 0;

  constructor(defer: Settings, pass: Settings) {
    this.#land({
      session: 0n,
      sequence: 0,
      wall_ms: WALL_MS,
      event: { kind: "genesis", id: "60".repeat(16) },
    });
    for (let at = 0; at < WRITERS; at++) {
      this.#writers.push({ session: 0n, sequence: 0, former: { session: 0n, sequence: 0 } });
      this.#openSession(this.#writers[at]!);
    }
    this.#say({ kind: "term_opened", term: 1 });
    this.#say({ kind: "tick", term: 1, elapsed_ms: 0 });
    this.#say({ kind: "queue_configured", queue: DEFER, revision: 1, settings: defer, reason: "" });
    this.#say({ kind: "queue_configured", queue: PASS, revision: 1, settings: pass, reason: "" });
  }

  write(moves: readonly Written[]): readonly LogRecord[] {
    for (const { move, sending } of moves) this.#make(move, sending);
    for (const { record } of this.#held.splice(0)) this.#land(record);
    return this.#records;
  }

  #make(move: Move, sending: Sending): void {
    const writer = this.#writers[sending.writer]!;
    if (move.do === "sleep") this.#sleep(move.elapsed_ms, move.ticks);
    else if (move.do === "restart") this.#openSession(writer, sending);
    else if (move.do === "open oddly") this.#openOddly(move.how, writer);
    else if (move.do === "crowd in") this.#crowdIn(move.sessions, move.closing);
    else if (move.do === "issue") this.#issue(move.queue, move.ticket, move.times, sending);
    else {
      const event = this.#eventOf(move);
      const keeps = move.do === "tick wrongly" && move.by === "itself" ? this.#keeper() : undefined;
      if (event !== undefined) this.#say(event, sending, keeps ?? writer);
    }
  }

  /** Several are not the same: only the first has a key or a subject. */
  #issue(queue: string, ticket: TicketWish, times: number, sending: Sending): void {
    this.#say(issued(queue, ticket), sending);
    const others = issued(queue, { ...ticket, key: undefined, subject: undefined });
    for (let n = 1; n < times; n++) this.#say(others, sending);
  }

  #eventOf(move: OneRecord): LogEvent | undefined {
    const { term } = this.#reference;
    switch (move.do) {
      case "tick wrongly":
        return { kind: "tick", term: uint32(term + move.off), elapsed_ms: 100 };
      case "open a term":
        return { kind: "term_opened", term: uint32(term + 1 + move.off) };
      case "close the term":
        return { kind: "term_closed", term: uint32(term + move.off) };
      case "begin anew":
        return { kind: "genesis", id: "61".repeat(16) };
      case "configure": {
        const found = this.#queue(move.queue);
        const revision = uint32((found?.revision ?? 0) + 1 + move.off);
        const settings = { ...(found ?? this.#reference.queues[0]!).settings, ...move.change };
        return { kind: "queue_configured", queue: move.queue, revision, settings, reason: "" };
      }
      case "admit some": {
        const who = { count: move.count };
        return { kind: "admit_requested", queue: move.queue, request_id: requestIdOf(move.id), who };
      }
      default:
        return this.#eventOfTicket(move);
    }
  }

  #eventOfTicket(move: Extract<Move, { ticket: Pick }>): QueueEvent | undefined {
    const { queue } = move.ticket;
    const found = this.#find(move.ticket);
    if (found === undefined) return undefined;
    const { number, claims } = found;
    switch (move.do) {
      case "leave":
        return { kind: "ticket_left", queue, number };
      case "complete":
        return { kind: "ticket_completed", queue, number };
      case "extend":
        return { kind: "session_extended", queue, number, ...(move.passOver && { pass_over: true }) };
      case "retry":
        return { kind: "request_retried", queue, number, reason: "" };
      case "admit one":
        return { kind: "admit_requested", queue, request_id: requestIdOf(move.id), who: { number } };
      case "claim": {
        const { timeout_ms, idempotent } = move;
        const attempt = uint32(claims + 1 + move.off);
        return { kind: "dispatch_claimed", queue, number, attempt, timeout_ms, idempotent };
      }
      case "release": {
        const { delay_ms, reason } = move;
        const attempt = uint32(claims + move.off);
        return { kind: "claim_released", queue, number, attempt, not_before_ms: delay_ms, reason };
      }
      case "answer": {
        const attempt = uint32(claims + move.off);
        return { kind: "request_answered", queue, number, attempt, status: move.status };
      }
    }
  }

  /** Time passes, for which somebody must keep it. */
  #sleep(elapsed_ms: number, ticks: number): void {
    const reference = this.#reference;
    let keeper = this.#keeper();
    if (keeper === undefined) {
      keeper = this.#writers[reference.term % WRITERS]!;
      this.#say({ kind: "term_opened", term: reference.term + 1 }, undefined, keeper);
    }
    for (let n = 0; n < ticks; n++) {
      this.#say({ kind: "tick", term: reference.term, elapsed_ms }, undefined, keeper);
    }
  }

  #keeper(): Writer | undefined {
    return this.#writers.find(({ session }) => session === this.#reference.timekeeper);
  }

  #openSession(writer: Writer, sending?: Sending): void {
    const former = { session: writer.session, sequence: writer.sequence };
    writer.former = former;
    writer.session = BigInt(1_000 + this.#sessions++);
    writer.sequence = 0;
    this.#say({ kind: "session_opened", former: former.session, node: "node" }, sending, writer);
  }

  #openOddly(how: "0" | "twice" | "after itself", writer: Writer): void {
    const session = how === "0" ? 0n : how === "twice" ? writer.session : BigInt(1_000 + this.#sessions++);
    const former = how === "after itself" ? session : 0n;
    const event: LogEvent = { kind: "session_opened", former, node: "odd" };
    this.#land({ session, sequence: 1, wall_ms: WALL_MS, event });
  }

  /** Others open sessions, more than are kept, and perhaps each closes one that nobody knew. */
  #crowdIn(sessions: number, closing: boolean): void {
    for (let n = 0; n < sessions; n++) {
      const former = closing ? BigInt(1_000 + this.#sessions++) : 0n;
      const event: LogEvent = { kind: "session_opened", former, node: "other" };
      this.#land({ session: BigInt(1_000 + this.#sessions++), sequence: 1, wall_ms: WALL_MS, event });
    }
  }

  #say(event: LogEvent, sending?: Sending, by: Writer = this.#writers[sending?.writer ?? 0]!): void {
    const as = sending?.as ?? "itself";
    const fate = sending?.fate ?? "lands";
    const name =
      as === "itself"
        ? { session: by.session, sequence: ++by.sequence }
        : as === "a stranger"
          ? { session: 77n, sequence: this.#records.length }
          : { session: by.former.session, sequence: ++by.former.sequence };
    const wall_ms = WALL_MS + this.#reference.now_ms + 1_000 * this.#writers.indexOf(by);
    const record: LogRecord = { ...name, wall_ms, event };
    if (fate === "lands" || fate === "lands twice") this.#land(record);
    if (fate === "lands twice" || fate === "lands late")
      this.#held.push({ record, after: sending?.late ?? 0 });
  }

  #land(record: LogRecord): void {
    this.#records.push(record);
    this.#reference.apply(record);
    this.#reference.takeChanges();
    const due = this.#held.filter(({ after }) => after === 0);
    this.#held = this.#held
      .filter(({ after }) => after > 0)
      .map(({ record, after }) => ({ record, after: after - 1 }));
    for (const { record } of due) this.#land(record);
  }

  #queue(name: string): ReferenceQueue | undefined {
    return this.#reference.queues.find((queue) => queue.name === name);
  }

  /** Where nobody is among those wanted, some other ticket now and then, but mostly nothing. */
  #find({ queue, among, at }: Pick): { number: number; claims: number } | undefined {
    const found = this.#queue(queue);
    const absurd = { number: [0, UINT32_MAX, 2 ** 31, (found?.issued ?? 0) + 1][at % 4]!, claims: 0 };
    if (found === undefined || among === "absurd") return absurd;
    const candidates = found.tickets.filter((ticket) => isAmong(ticket, among));
    if (candidates.length > 0) return candidates[at % candidates.length];
    return at % 4 === 0 ? (found.tickets[at % found.tickets.length] ?? absurd) : undefined;
  }
}

function isAmong(ticket: ReferenceTicket, among: Among): boolean {
  switch (among) {
    case "waiting":
    case "admitted":
    case "unknown":
    case "failed":
      return ticket.stage === among;
    case "unclaimed":
      return ticket.stage === "admitted" && ticket.stored && ticket.claim === undefined;
    case "claimed":
      return ticket.claim !== undefined;
    case "retried":
      return ticket.stage === "admitted" && ticket.retriedWaited_ms !== undefined;
    case "ended":
      return ticket.ended_ms !== undefined;
    default:
      return true;
  }
}

function issued(queue: string, wish: TicketWish): QueueEvent {
  const { key, digest, subject, malformed } = wish;
  const hash = (all: readonly Uint8Array[], at: number | undefined) =>
    at === undefined ? undefined : malformed ? all[at]!.subarray(1) : all[at]!;
  return {
    kind: "ticket_issued",
    queue,
    key: hash(KEYS, key),
    subject: hash(SUBJECTS, subject),
    digest: key === undefined || digest === undefined ? undefined : DIGESTS[digest],
    stored_request: queue === PASS ? wish.misplaced : wish.stored,
    adopt_key: wish.adopting,
  };
}

/** 16 bytes in hexadecimal; the last of them is too short to be an id. */
function requestIdOf(id: number): string {
  return id === 6 ? "ab" : id.toString(16).padStart(32, "0");
}

/** What protobuf can carry. */
function uint32(value: number): number {
  return value >>> 0;
}

/** A hash that tells apart what it is made from. */
function bytes(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (seed * 37 + at * 11) & 255);
}
