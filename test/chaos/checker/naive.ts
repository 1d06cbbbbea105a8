// The log, read a second time by other code: from the published schema alone, with maps and counters and nothing of
// the product's model. It knows whose records count, what time it is, and which ticket has which number; what follows
// from that (who is admitted) is the model's, and checked against this.

import { fromBinary } from "@bufbuild/protobuf";
import { type Envelope, EnvelopeSchema, type Record, RecordSchema } from "@usher/protocol/log";
import type { LogEntry } from "../log/entry.ts";
import { checksumOf } from "../log/envelope.ts";

/** The most that a tick counts, in milliseconds: of the contract's words on ticks. */
const TICK_MAX_MS = 1_000;

export interface NaiveTicket {
  readonly queue: string;
  readonly number: number;
  readonly offset: number;
  /** In hexadecimal; absent without an idempotency key. */
  readonly key: string | undefined;
  readonly stored: boolean;
}

/** What an entry turned out to be. */
export interface NaiveStep {
  readonly offset: number;
  /** It is a record of a session that counts. */
  readonly counts: boolean;
  /** Log time after it, in milliseconds. */
  readonly now_ms: number;
  readonly wall_ms: number;
  /** The ticket that it asked for and got: a new one, or the one under its key. */
  readonly ticket: NaiveTicket | undefined;
  /** For ticks: `late` is that of somebody who does not keep time (any more). */
  readonly tick: "counted" | "late" | undefined;
}

interface Session {
  sequence: number;
  closed: boolean;
}

export class NaiveLog {
  readonly steps: readonly NaiveStep[];
  genesis: string | undefined;
  /** By queue; the number is the place. */
  readonly #tickets = new Map<string, NaiveTicket[]>();
  readonly #byKey = new Map<string, NaiveTicket>();
  readonly #sessions = new Map<bigint, Session>();
  #now_ms = 0;
  #term = 0;
  #keeper: bigint | undefined;
  #first = false;

  constructor(log: readonly LogEntry[]) {
    this.steps = log.map((entry) => this.#read(entry));
  }

  tickets(queue: string): readonly NaiveTicket[] {
    return this.#tickets.get(queue) ?? [];
  }

  get queues(): readonly string[] {
    return [...this.#tickets.keys()];
  }

  ticket(queue: string, number: number): NaiveTicket | undefined {
    return this.#tickets.get(queue)?.[number - 1];
  }

  /** The ticket under a key's hash, in hexadecimal. */
  byKey(queue: string, key: string): NaiveTicket | undefined {
    return this.#byKey.get(`${queue}/${key}`);
  }

  #read({ offset, value }: LogEntry): NaiveStep {
    const decoded = decode(value);
    const nothing = { offset, counts: false, wall_ms: 0, ticket: undefined, tick: undefined };
    if (decoded === undefined) return { ...nothing, now_ms: this.#now_ms };
    const { envelope, record } = decoded;
    const { kind } = record;
    const counts = this.#counts(envelope, record);
    const keeps = counts && kind.case === "tick" && this.#keeps(envelope, kind.value.term);
    const ticket = counts ? this.#apply(offset, envelope, record) : undefined;
    return {
      offset,
      counts,
      now_ms: this.#now_ms,
      wall_ms: Number(envelope.wallTimeMs),
      ticket,
      tick: kind.case === "tick" ? (keeps ? "counted" : "late") : undefined,
    };
  }

  #counts({ session, sequence }: Envelope, { kind }: Record): boolean {
    if (kind.case === "genesis") return this.genesis === undefined;
    if (kind.case === "sessionOpened") return session !== 0n && !this.#sessions.has(session);
    const known = this.#sessions.get(session);
    if (known === undefined || known.closed || sequence <= known.sequence) return false;
    known.sequence = sequence;
    return true;
  }

  #apply(offset: number, { session, sequence }: Envelope, { kind }: Record): NaiveTicket | undefined {
    switch (kind.case) {
      case "genesis":
        this.genesis = Buffer.from(kind.value.id).toString("hex");
        return undefined;
      case "sessionOpened":
        this.#sessions.set(session, { sequence, closed: false });
        if (kind.value.former !== 0n) this.#sessions.set(kind.value.former, { sequence: 0, closed: true });
        if (this.#keeper === kind.value.former) this.#keeper = undefined;
        return undefined;
      case "termOpened":
        if (kind.value.term === this.#term + 1) {
          this.#term++;
          this.#keeper = session;
          this.#first = true;
        }
        return undefined;
      case "termClosed":
        if (kind.value.term === this.#term && session === this.#keeper) this.#keeper = undefined;
        return undefined;
      case "tick":
        if (kind.value.term !== this.#term || session !== this.#keeper) return undefined;
        if (!this.#first) this.#now_ms += Math.min(TICK_MAX_MS, kind.value.elapsedMs);
        this.#first = false;
        return undefined;
      case "queueConfigured":
        if (!this.#tickets.has(kind.value.queue)) this.#tickets.set(kind.value.queue, []);
        return undefined;
      case "ticketIssued":
        return this.#issue(offset, kind.value);
      default:
        return undefined;
    }
  }

  #issue(offset: number, issued: Issued): NaiveTicket | undefined {
    const { queue, storedRequest: stored } = issued;
    const tickets = this.#tickets.get(queue);
    if (tickets === undefined) return undefined;
    const key = issued.keyHash.length === 0 ? undefined : Buffer.from(issued.keyHash).toString("hex");
    const known = key === undefined ? undefined : this.byKey(queue, key);
    if (known !== undefined) return known;
    const ticket = { queue, number: tickets.length + 1, offset, key, stored };
    tickets.push(ticket);
    if (key !== undefined) this.#byKey.set(`${queue}/${key}`, ticket);
    return ticket;
  }

  #keeps({ session }: Envelope, term: number): boolean {
    return session === this.#keeper && term === this.#term;
  }
}

type Issued = Extract<Record["kind"], { case: "ticketIssued" }>["value"];

/** Absent: no record, or a damaged one. */
function decode(value: Uint8Array): { envelope: Envelope; record: Record } | undefined {
  try {
    const envelope = fromBinary(EnvelopeSchema, value);
    if (checksumOf(envelope) !== envelope.checksum) return undefined;
    const record = fromBinary(RecordSchema, envelope.record);
    return record.kind.case === undefined ? undefined : { envelope, record };
  } catch {
    return undefined;
  }
}
