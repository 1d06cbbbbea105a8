// The log's entries as they are stored, for those who look at the log itself. Each reader has a follower of its own;
// what it does not take waits in the log, not in memory.

import type { Follower, Following, LogError, Offset, StoredEntry, TicketLog } from "@usher/ticket-log";
import { SILENCE_MS } from "./places.ts";
import { UsherError } from "./rpc/errors.ts";

/** Readers of a node at most: they are for operators, and each may make the store read as fast as it can. */
export const LOG_READERS_MAX = 16;

/** What is read ahead for one reader, in bytes; 1 MiB. Beyond it, its follower is closed, and another opened once all
 * of that was taken. What a log delivers at a time comes on top of it. */
const AHEAD_BYTES = 1024 * 1024;

/** What a reader is given at a time. */
export const STEP = { entries: 500, bytes: 256 * 1024 } as const;

/** Which entries. */
export interface EntryRange {
  readonly from: Offset;
  /** Before this one; Infinity: as long as the reader likes. */
  readonly until: Offset;
}

export class Entries {
  readonly #log: TicketLog;
  readonly #draining: AbortSignal;
  #readers = 0;

  /** `draining`: aborts when this node begins to shut down. */
  constructor(log: TicketLog, draining: AbortSignal) {
    this.#log = log;
    this.#draining = draining;
  }

  /** The offset that follows the log's last entry now. */
  end(): Promise<Offset> {
    return this.#log.end();
  }

  /** Yields the entries in steps, and an empty step where there is none: at once, so that the stream is seen to be
   * open, and whenever it would be silent for too long. Ends after the range, when the signal aborts, or when this node
   * shuts down. Throws a `LogError` when the log can be followed no further. */
  async *read(
    { from, until }: EntryRange,
    signal: AbortSignal,
  ): AsyncGenerator<readonly StoredEntry[], void> {
    if (this.#readers >= LOG_READERS_MAX)
      throw new UsherError("OVERLOADED", `This node has ${LOG_READERS_MAX} readers of its log already.`);
    this.#readers++;
    const ahead = new Ahead(this.#log, from, until);
    const signals = [signal, this.#draining];
    for (const each of signals) each.addEventListener("abort", ahead.wake);
    const stopped = () => signals.some(({ aborted }) => aborted);
    try {
      yield [];
      while (!ahead.over && !stopped()) {
        const step = ahead.take();
        if (step.length > 0) yield step;
        else if (!(await ahead.news(SILENCE_MS))) yield [];
      }
    } finally {
      for (const each of signals) each.removeEventListener("abort", ahead.wake);
      ahead.close();
      this.#readers--;
    }
  }
}

/** What has been read for one reader, and not taken. */
class Ahead implements Follower {
  readonly #log: TicketLog;
  readonly #until: Offset;
  /** In order. */
  #entries: StoredEntry[] = [];
  #bytes = 0;
  /** The offset after the last that was read. */
  #next: Offset;
  #following: Following | undefined;
  #failure: LogError | undefined;
  #wake: (() => void) | undefined;

  constructor(log: TicketLog, from: Offset, until: Offset) {
    this.#log = log;
    this.#next = from;
    this.#until = until;
  }

  /** All was taken. */
  get over(): boolean {
    return this.#entries.length === 0 && this.#next >= this.#until;
  }

  /** The next entries, if any are there; if not, they are sent for. */
  take(): readonly StoredEntry[] {
    const step = this.#entries.splice(0, this.#stepLength());
    for (const entry of step) this.#bytes -= sizeOf(entry);
    if (step.length > 0) return step;
    if (this.#failure !== undefined) throw this.#failure;
    this.#following ??= this.#log.follow(this.#next, this);
    return step;
  }

  /** Resolves with true when there may be something to take, or to look at; with false when there was nothing within
   * the time. */
  async news(within_ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), within_ms);
    this.#wake = () => resolve(true);
    const woken = await promise;
    clearTimeout(timer);
    this.#wake = undefined;
    return woken;
  }

  readonly wake = (): void => this.#wake?.();

  entries(batch: readonly StoredEntry[], next: Offset): void {
    this.#next = next;
    for (const entry of batch) {
      if (entry.offset >= this.#until) break;
      this.#entries.push(entry);
      this.#bytes += sizeOf(entry);
    }
    if (this.#bytes >= AHEAD_BYTES || this.#next >= this.#until) this.close();
    this.wake();
  }

  failed(error: LogError): void {
    this.#failure = error;
    this.wake();
  }

  close(): void {
    this.#following?.close();
    this.#following = undefined;
  }

  /** How many entries make the next step; at least one, if there is any. */
  #stepLength(): number {
    let bytes = 0;
    for (const [at, entry] of this.#entries.entries()) {
      bytes += sizeOf(entry);
      if (at === STEP.entries || (at > 0 && bytes > STEP.bytes)) return at;
    }
    return this.#entries.length;
  }
}

function sizeOf({ key, value, headers }: StoredEntry): number {
  return key.length + value.length + (headers === undefined ? 0 : JSON.stringify(headers).length);
}
