// Followers. Each knows the offset that it needs next, and is in one of two states:
//
//   reading   it is behind: the worker reads for it, some entries at a time
//   live      it needs what is committed next, and gets it from memory
//
// The worker answers in the order asked, so what it reads ends where the last commit answered before ended: a reader
// that has got it all is at the end exactly, and becomes live without a gap or a duplicate. Nothing is kept for a
// follower that is behind: it reads it when it gets there.

import { unpack } from "../batch.ts";
import { type Follower, type Following, LogError, type Offset, type StoredEntry } from "../log.ts";
import type { LogThread } from "./messages.ts";

/** All followers of a log, and where the log ends. */
export class Followers {
  readonly #thread: LogThread;
  readonly #max: number;
  readonly #followings = new Set<SqliteFollowing>();
  #end: Offset;

  constructor(thread: LogThread, end: Offset, max: number) {
    this.#thread = thread;
    this.#end = end;
    this.#max = max;
  }

  get end(): Offset {
    return this.#end;
  }

  follow(from: Offset, follower: Follower): Following {
    if (!Number.isSafeInteger(from) || from < 0) throw new RangeError(`${from} is not an offset`);
    if (this.#followings.size >= this.#max)
      throw new LogError("overloaded", `${this.#max} followers are there already`);
    const following: SqliteFollowing = new SqliteFollowing(from, follower, {
      read: (next, take) => this.#read(next, take),
      end: () => this.#end,
      closed: () => this.#followings.delete(following),
    });
    this.#followings.add(following);
    following.start();
    return following;
  }

  /** Delivers what was committed at the end of the log. */
  committed(entries: readonly StoredEntry[]): void {
    if (entries.length === 0) return;
    const first = this.#end;
    this.#end += entries.length;
    for (const following of [...this.#followings]) following.committed(first, entries);
  }

  fail(error: LogError): void {
    for (const following of [...this.#followings]) following.fail(error);
  }

  close(): void {
    for (const following of [...this.#followings]) following.close();
  }

  #read(from: Offset, take: (read: readonly StoredEntry[] | LogError) => void): void {
    this.#thread.ask("read", { from }, (error, answer) => {
      take(answer ? entriesOf(answer.batch, from) : error!);
    });
  }
}

interface Source {
  read(from: Offset, take: (read: readonly StoredEntry[] | LogError) => void): void;
  end(): Offset;
  closed(): void;
}

class SqliteFollowing implements Following {
  readonly #follower: Follower;
  readonly #source: Source;
  #next: Offset;
  #open = true;
  /** When it was seen to have read to the end. */
  #read_ms = Number.NEGATIVE_INFINITY;

  constructor(from: Offset, follower: Follower, source: Source) {
    this.#next = from;
    this.#follower = follower;
    this.#source = source;
  }

  get lag_ms(): number {
    const now_ms = performance.now();
    if (this.#next === this.#source.end()) this.#read_ms = now_ms;
    return now_ms - this.#read_ms;
  }

  start(): void {
    const end = this.#source.end();
    if (this.#next < end) this.#readOn();
    if (this.#next <= end) return;
    // Whoever has read beyond it has read another log, or this one has lost its end.
    const error = new LogError("corrupt", `entry ${this.#next} is asked for, but the log ends at ${end}`);
    queueMicrotask(() => this.fail(error));
  }

  committed(first: Offset, entries: readonly StoredEntry[]): void {
    if (this.#next === first) this.#deliver(entries);
  }

  fail(error: LogError): void {
    if (!this.#open) return;
    this.close();
    this.#follower.failed(error);
  }

  close(): void {
    this.#open = false;
    this.#source.closed();
  }

  #readOn(): void {
    if (!this.#open) return;
    this.#source.read(this.#next, (read) => {
      if (!this.#open) return;
      if (read instanceof LogError) this.fail(read);
      else this.#deliver(read);
      // In a later turn: a long catch-up leaves the event loop to others between.
      if (this.#next < this.#source.end()) setImmediate(() => this.#readOn());
    });
  }

  #deliver(entries: readonly StoredEntry[]): void {
    if (!this.#open) return;
    this.#next += entries.length;
    if (this.#next === this.#source.end()) this.#read_ms = performance.now();
    try {
      this.#follower.entries(entries);
    } catch (cause) {
      // It must not, but one that does takes no other along, nor the writers.
      this.fail(new LogError("unavailable", "the follower threw", { cause }));
    }
  }
}

/** Each with bytes of its own: one that is kept must not keep the whole batch. */
function entriesOf(batch: Uint8Array<ArrayBuffer>, from: Offset): StoredEntry[] {
  return unpack(batch).map(({ entry }, index) => {
    const { key, value, headers } = entry!;
    const stored = { offset: from + index, key, value: value.slice() };
    return headers === undefined ? stored : { ...stored, headers: JSON.parse(headers) };
  });
}
