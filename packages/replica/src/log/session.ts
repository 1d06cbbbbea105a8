// One writer session of this process: numbers its records, and answers each caller when the record has been folded.
// What became of an append is told by the log alone: by the record itself, or by a later record of the session or the
// opening of its successor (then it never will count). The promise of the writer only tells sooner that an append
// surely failed.

import { randomBytes } from "node:crypto";
import type { LogEvent, LogRecord, Outcome, SessionId } from "@usher/queue";
import { type AppendOptions, type Entry, LogError, type TicketLog, type Writer } from "@usher/ticket-log";
import type { Clock } from "../clock.ts";
import { encodeRecord } from "./codec.ts";

/** How many appends may be under way at once; more are refused. Below the log's own bound, so that ticks find room. */
export const PENDING_MAX = 10_000;

/** How long a caller waits for its record to be folded, in ms, before it is told that the outcome is unknown. */
export const APPEND_TIMEOUT_MS = 10_000;

/** A session is followed by another before its sequence leaves 32 bits. */
const SEQUENCE_MAX = 2 ** 32 - 1;

/** What a payload's name needs of the record that it goes with. */
export interface RecordName {
  readonly session: SessionId;
  readonly sequence: number;
}

export interface RecordOptions {
  /** Before what waits to be written. */
  readonly urgent?: boolean;
  /** What is stored with the record, under its name. */
  readonly payload?: (name: RecordName) => AppendOptions["payload"];
  /** Beside the record: the trace context of what it was written for. */
  readonly headers?: Entry["headers"];
}

interface Pending {
  readonly name: RecordName;
  readonly resolve: (settled: { outcome: Outcome; name: RecordName }) => void;
  readonly reject: (error: LogError) => void;
  readonly deadline_ms: number;
}

export class Session {
  readonly id: SessionId = randomSession();
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #onBroken: () => void;
  /** In the order of their sequences. */
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;
  #broken = false;
  /** Who waits for the last caller to be told. */
  readonly #awaiting: (() => void)[] = [];

  /** `onBroken` is called once, should the session's writer take nothing more, or the log not say what became of a
   * record: a successor's opening will. */
  constructor(log: TicketLog, clock: Clock, onBroken: () => void) {
    this.#writer = log.openWriter();
    this.#clock = clock;
    this.#onBroken = onBroken;
  }

  /** It takes nothing more: open another. */
  get broken(): boolean {
    return this.#broken || this.#sequence >= SEQUENCE_MAX;
  }

  /** Nobody waits to be told. */
  get settled(): boolean {
    return this.#pending.size === 0;
  }

  /** Appends, and tells what the fold made of it. Rejects with a `LogError` that says whether it may be in the log. */
  append(event: LogEvent, options?: RecordOptions): Promise<{ outcome: Outcome; name: RecordName }> {
    if (this.broken) return Promise.reject(new LogError("unavailable", "the writer session has ended"));
    if (this.#pending.size >= PENDING_MAX) {
      return Promise.reject(new LogError("overloaded", `${PENDING_MAX} records are being written already`));
    }
    const name = { session: this.id, sequence: ++this.#sequence };
    const record: LogRecord = { ...name, wall_ms: this.#clock.wall_ms(), event };
    const headers = options?.headers;
    const entry = { key: "queue" in event ? event.queue : "", value: encodeRecord(record), headers };
    const payload = options?.payload?.(name);
    return new Promise((resolve, reject) => {
      const deadline_ms = this.#clock.monotonic_ms() + APPEND_TIMEOUT_MS;
      this.#pending.set(name.sequence, { name, resolve, reject, deadline_ms });
      this.#writer
        .append(entry, { urgent: options?.urgent, payload })
        .catch((error: unknown) => this.#failed(name.sequence, LogError.from(error)));
    });
  }

  /** Tells that a record of this session has been folded: its caller is answered, and older ones that are still
   * pending will never be in the log. */
  folded(sequence: number, outcome: Outcome): void {
    for (const [pending, { name }] of this.#pending) {
      if (pending > sequence) return;
      if (pending === sequence) this.#take(pending)?.resolve({ outcome, name });
      else this.#take(pending)?.reject(passedOver());
    }
  }

  /** Tells those who have waited too long that the outcome is unknown. */
  expire(): void {
    const now_ms = this.#clock.monotonic_ms();
    for (const [sequence, { deadline_ms }] of this.#pending) {
      if (deadline_ms > now_ms) return;
      this.#take(sequence)?.reject(unknown(`the log did not answer within ${APPEND_TIMEOUT_MS / 1000} s`));
    }
  }

  /** The session's successor has been folded: what has not been seen by now will never count. */
  superseded(): void {
    this.#tellAll(passedOver);
  }

  /** Nothing more will be folded. */
  abandon(): void {
    this.#tellAll(() => unknown("this node stopped reading the log before it answered"));
  }

  /** Takes nothing more. What was appended may still be folded. */
  retire(): void {
    this.#broken = true;
    this.#writer.close().catch(() => {});
  }

  /** Takes nothing more, and ends when every caller has been told: by the fold, by a failure, or by its deadline. */
  async close(): Promise<void> {
    this.retire();
    if (!this.settled) await new Promise<void>((resolve) => this.#awaiting.push(resolve));
  }

  #tellAll(error: () => LogError): void {
    this.#broken = true;
    for (const sequence of this.#pending.keys()) this.#take(sequence)?.reject(error());
  }

  #take(sequence: number): Pending | undefined {
    const pending = this.#pending.get(sequence);
    this.#pending.delete(sequence);
    if (this.settled) for (const resolve of this.#awaiting.splice(0)) resolve();
    return pending;
  }

  #failed(sequence: number, reason: LogError): void {
    // An unknown one may still be read back: its caller waits for that, or for what tells that it never will be.
    if (reason.outcome === "refused") this.#take(sequence)?.reject(reason);
    if (this.#broken || (reason.outcome === "refused" && reason.code !== "closed")) return;
    this.#broken = true;
    this.#onBroken();
  }
}

/** Refused: seen before a later record, or the successor's opening, it is yes; otherwise never. */
function passedOver(): LogError {
  return new LogError("unavailable", "the log went on without the record");
}

function unknown(why: string): LogError {
  return new LogError("unavailable", why, { outcome: "unknown" });
}

function randomSession(): SessionId {
  const id = randomBytes(8).readBigUInt64LE();
  return id === 0n ? 1n : id;
}
