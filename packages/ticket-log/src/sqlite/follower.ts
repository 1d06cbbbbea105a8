// Followers. Each knows the offset that it needs next, and is in one of two states:
//
//   reading   it is behind: the worker reads for it, some entries at a time
//   live      it needs what is committed next, and gets it from memory
//
// The worker answers in the order asked, so what it reads ends where the last commit answered before ended: a reader
// that has got it all is at the end exactly, and becomes live without a gap or a duplicate. Nothing is kept for a
// follower that is behind: it reads it when it gets there.

import { unpack } from "../batch.ts";
import { Followings, Receiver } from "../followings.ts";
import { type Follower, type Following, LogError, type Offset, type StoredEntry } from "../log.ts";
import type { LogThread } from "./messages.ts";

/** All followers of a log, and where the log ends. */
export class Followers {
  readonly #thread: LogThread;
  readonly #followings: Followings<SqliteFollowing>;
  #end: Offset;

  constructor(thread: LogThread, end: Offset, max: number) {
    this.#thread = thread;
    this.#end = end;
    this.#followings = new Followings(max);
  }

  get end(): Offset {
    return this.#end;
  }

  follow(from: Offset, follower: Follower): Following {
    const source = {
      read: (next: Offset, take: Take) => this.#read(next, take),
      end: () => this.#end,
    };
    const following = this.#followings.add(
      from,
      (closed) => new SqliteFollowing(from, new Receiver(follower, closed), source),
    );
    following.start();
    return following;
  }

  /** Delivers what was committed at the end of the log. */
  committed(entries: readonly StoredEntry[]): void {
    if (entries.length === 0) return;
    const first = this.#end;
    this.#end += entries.length;
    for (const following of this.#followings.all) following.committed(first, entries);
  }

  fail(error: LogError): void {
    this.#followings.fail(error);
  }

  close(): void {
    this.#followings.close();
  }

  #read(from: Offset, take: Take): void {
    this.#thread.ask("read", { from }, (error, answer) => {
      take(answer ? entriesOf(answer.batch, from) : error!);
    });
  }
}

type Take = (read: readonly StoredEntry[] | LogError) => void;

interface Source {
  read(from: Offset, take: Take): void;
  end(): Offset;
}

class SqliteFollowing implements Following {
  readonly #receiver: Receiver;
  readonly #source: Source;
  #next: Offset;
  /** When it was seen to have read to the end. */
  #read_ms = Number.NEGATIVE_INFINITY;

  constructor(from: Offset, receiver: Receiver, source: Source) {
    this.#next = from;
    this.#receiver = receiver;
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
    this.#receiver.fail(error);
  }

  close(): void {
    this.#receiver.close();
  }

  #readOn(): void {
    if (!this.#receiver.open) return;
    this.#source.read(this.#next, (read) => {
      if (!this.#receiver.open) return;
      if (read instanceof LogError) this.fail(read);
      else this.#deliver(read);
      // In a later turn: a long catch-up leaves the event loop to others between.
      if (this.#next < this.#source.end()) setImmediate(() => this.#readOn());
    });
  }

  #deliver(entries: readonly StoredEntry[]): void {
    if (!this.#receiver.open) return;
    this.#next += entries.length;
    if (this.#next === this.#source.end()) this.#read_ms = performance.now();
    this.#receiver.deliver(entries, this.#next);
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
