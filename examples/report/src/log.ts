// From the topic's bytes to the records that count, by the rules that stand in the schema, usher/log/v1/log.proto: who
// may write, which records are duplicates, and what time it is.

import { crc32 } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import { type Envelope, EnvelopeSchema, type Record, RecordSchema } from "@usher/protocol/log";

/** The highest level of format that this program has been written for. */
const FORMAT_LEVEL = 4;

/** A tick counts as so many milliseconds at most. */
const TICK_MAX_MS = 1_000;

/** Writer sessions that are remembered at most; as many as Usher does. */
const SESSIONS_MAX = 1_024;

/** A record that counts. */
export interface Fact {
  readonly kind: Record["kind"];
  /** The writer's wall clock. Clocks of two writers may differ. */
  readonly wall_ms: number;
  /** T, log time: the sum of all ticks. */
  readonly time_ms: number;
}

/** What cannot be reported on. The message is all that a user needs to see. */
export class ReportError extends Error {
  override readonly name = "ReportError";
}

interface Session {
  /** Of the last record that counted. */
  sequence: number;
  /** Its process has opened another. */
  closed: boolean;
}

export class Log {
  readonly #sessions = new Map<bigint, Session>();
  #began = false;
  #term = 0;
  #timekeeper: bigint | undefined;
  /** The next tick is the first of its term, which only begins the measuring. */
  #termBegins = false;
  #time_ms = 0;
  /** Entries that are no records, or damaged ones; records that count for nothing: duplicates, and what came too late. */
  readonly passedOver = { damaged: 0, ignored: 0 };

  /** What an entry tells, if it counts. Throws a `ReportError` for one that only a newer program can read. */
  read(value: Uint8Array): Fact | undefined {
    const envelope = open(value);
    if (envelope === undefined) {
      this.passedOver.damaged++;
      return undefined;
    }
    const newer = envelope.formatLevel > FORMAT_LEVEL;
    if (newer && this.#sessions.get(envelope.session)?.closed === false)
      throw new ReportError(
        `the log has records of format level ${envelope.formatLevel}; this program reads up to ${FORMAT_LEVEL}`,
      );
    const kind = newer ? undefined : kindOf(envelope.record);
    if (kind?.case === undefined || !this.#counts(envelope, kind)) {
      this.passedOver.ignored++;
      return undefined;
    }
    return { kind, wall_ms: Number(envelope.wallTimeMs), time_ms: this.#time_ms };
  }

  #counts({ session: id, sequence }: Envelope, kind: Record["kind"]): boolean {
    if (!this.#began) {
      if (kind.case !== "genesis") throw new ReportError("the log does not begin at its beginning");
      this.#began = true;
      return true;
    }
    if (kind.case === "sessionOpened") return this.#openSession(id, sequence, kind.value.former);
    const session = this.#sessions.get(id);
    if (session === undefined || session.closed || sequence <= session.sequence) return false;
    session.sequence = sequence;
    switch (kind.case) {
      case "termOpened":
        return this.#openTerm(id, kind.value.term);
      case "termClosed":
        return this.#closeTerm(id, kind.value.term);
      case "tick":
        return this.#tick(id, kind.value.term, kind.value.elapsedMs);
      default:
        return kind.case !== "genesis";
    }
  }

  #openSession(id: bigint, sequence: number, former: bigint): boolean {
    if (id === 0n || id === former || this.#sessions.has(id)) return false;
    if (this.#timekeeper === former) this.#timekeeper = undefined;
    // Known and closed from now on: its own opening may be on its way still.
    if (former !== 0n) this.#sessions.set(former, { sequence: 0, closed: true });
    this.#sessions.set(id, { sequence, closed: false });
    while (this.#sessions.size > SESSIONS_MAX) this.#forgetOne();
    return true;
  }

  /** The first that is closed; if all are open, the first. */
  #forgetOne(): void {
    const others = [...this.#sessions].filter(([id]) => id !== this.#timekeeper);
    const gone = others.find(([, { closed }]) => closed) ?? others[0];
    if (gone !== undefined) this.#sessions.delete(gone[0]);
  }

  #openTerm(session: bigint, term: number): boolean {
    if (term !== this.#term + 1) return false;
    this.#term = term;
    this.#timekeeper = session;
    this.#termBegins = true;
    return true;
  }

  #closeTerm(session: bigint, term: number): boolean {
    if (term !== this.#term || session !== this.#timekeeper) return false;
    this.#timekeeper = undefined;
    return true;
  }

  #tick(session: bigint, term: number, elapsed_ms: number): boolean {
    if (term !== this.#term || session !== this.#timekeeper) return false;
    this.#time_ms += this.#termBegins ? 0 : Math.min(TICK_MAX_MS, elapsed_ms);
    this.#termBegins = false;
    return true;
  }
}

/** The envelope, if it is one and whole. */
function open(value: Uint8Array): Envelope | undefined {
  try {
    const envelope = fromBinary(EnvelopeSchema, value);
    return envelope.checksum === checksumOf(envelope) ? envelope : undefined;
  } catch {
    return undefined;
  }
}

function checksumOf({ formatLevel, session, sequence, wallTimeMs, record }: Envelope): number {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(formatLevel, 0);
  head.writeBigUInt64LE(session, 4);
  head.writeUInt32LE(sequence, 12);
  head.writeBigInt64LE(wallTimeMs, 16);
  return crc32(record, crc32(head));
}

function kindOf(record: Uint8Array): Record["kind"] | undefined {
  try {
    return fromBinary(RecordSchema, record).kind;
  } catch {
    return undefined;
  }
}
