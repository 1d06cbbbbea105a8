// One writer session of this process: numbers its records, and answers each caller when the record has been folded.
// What became of an append is told by the log alone: by the record itself, or by a later record of the session (then
// it never will come). The promise of the writer only tells sooner that an append surely failed.

import { randomBytes } from "node:crypto";
import type { LogEvent, LogRecord, Outcome, SessionId } from "@usher/queue";
import { type AppendOptions, LogError, type TicketLog, type Writer } from "@usher/ticket-log";
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
  /** In the order of their sequences. */
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;
  #broken = false;

  constructor(log: TicketLog, clock: Clock) {
    this.#writer = log.openWriter();
    this.#clock = clock;
  }

  /** It takes nothing more: open another. */
  get broken(): boolean {
    return this.#broken || this.#sequence >= SEQUENCE_MAX;
  }

  /** Appends, and tells what the fold made of it. Rejects with a `LogError` that says whether it may be in the log. */
  append(
    event: LogEvent,
    options?: { urgent?: boolean; payload?: (name: RecordName) => AppendOptions["payload"] },
  ): Promise<{ outcome: Outcome; name: RecordName }> {
    if (this.#pending.size >= PENDING_MAX) {
      return Promise.reject(new LogError("overloaded", `${PENDING_MAX} records are being written already`));
    }
    const name = { session: this.id, sequence: ++this.#sequence };
    const record: LogRecord = { ...name, wall_ms: this.#clock.wall_ms(), event };
    const entry = { key: "queue" in event ? event.queue : "", value: encodeRecord(record) };
    return new Promise((resolve, reject) => {
      const deadline_ms = this.#clock.monotonic_ms() + APPEND_TIMEOUT_MS;
      this.#pending.set(name.sequence, { name, resolve, reject, deadline_ms });
      this.#writer
        .append(entry, { urgent: options?.urgent, payload: options?.payload?.(name) })
        .catch((error: unknown) => this.#failed(name.sequence, error));
    });
  }

  /** Tells that a record of this session has been folded: its caller is answered, and older ones that are still
   * pending will never be in the log. */
  folded(sequence: number, outcome: Outcome): void {
    for (const [pending, { name, resolve, reject }] of this.#pending) {
      if (pending > sequence) return;
      this.#pending.delete(pending);
      if (pending === sequence) resolve({ outcome, name });
      else reject(new LogError("unavailable", "the log went on without the record"));
    }
  }

  /** Tells those who have waited too long that the outcome is unknown. */
  expire(): void {
    const now_ms = this.#clock.monotonic_ms();
    for (const [sequence, { reject, deadline_ms }] of this.#pending) {
      if (deadline_ms > now_ms) return;
      this.#pending.delete(sequence);
      reject(unknown(`the log did not answer within ${APPEND_TIMEOUT_MS / 1000} s`));
    }
  }

  /** Nobody waits for it. */
  get settled(): boolean {
    return this.#pending.size === 0;
  }

  /** The session's successor has been folded: what has not been seen by now will never count. */
  superseded(): void {
    this.#rejectAll(new LogError("unavailable", "the log went on without the record"));
  }

  /** Waits for what was appended to be written; then nothing more is folded, and what is pending stays untold. */
  async close(): Promise<void> {
    await this.#writer.close();
    this.abandon();
  }

  abandon(): void {
    this.#rejectAll(unknown("the log closed before it answered"));
  }

  #rejectAll(error: LogError): void {
    this.#broken = true;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  #failed(sequence: number, error: unknown): void {
    const reason =
      error instanceof LogError ? error : new LogError("unavailable", String(error), { cause: error });
    if (reason.outcome === "unknown" || reason.code === "closed") this.#broken = true;
    // An unknown one may still be read back: its caller waits for that, up to its deadline.
    if (reason.outcome === "unknown") return;
    this.#pending.get(sequence)?.reject(reason);
    this.#pending.delete(sequence);
  }
}

function unknown(why: string): LogError {
  return new LogError("unavailable", why, { outcome: "unknown" });
}

function randomSession(): SessionId {
  const id = randomBytes(8).readBigUInt64LE();
  return id === 0n ? 1n : id;
}
