// Followers. Each reads on in turns of its own, from the offset that it needs next, until it is at the end; what is
// written wakes it.

import { READ } from "../limits.ts";
import { type Follower, type Following, LogError, type Offset } from "../log.ts";
import type { MemoryStore } from "./store.ts";

/** All followers of a log. */
export class Followers {
  readonly #store: MemoryStore;
  readonly #max: number;
  readonly #followings = new Set<MemoryFollowing>();
  /** The store cannot be reached. */
  #cut = false;

  constructor(store: MemoryStore, max: number) {
    this.#store = store;
    this.#max = max;
  }

  follow(from: Offset, follower: Follower): Following {
    if (!Number.isSafeInteger(from) || from < 0) throw new RangeError(`${from} is not an offset`);
    if (this.#followings.size >= this.#max)
      throw new LogError("overloaded", `${this.#max} followers are there already`);
    const following: MemoryFollowing = new MemoryFollowing(from, follower, {
      store: () => (this.#cut ? undefined : this.#store),
      closed: () => this.#followings.delete(following),
    });
    this.#followings.add(following);
    following.wake();
    return following;
  }

  /** Tells that there is more to read since this moment. */
  written(): void {
    for (const following of this.#followings) following.written();
  }

  cut(): void {
    this.#cut = true;
  }

  mend(): void {
    this.#cut = false;
    for (const following of this.#followings) following.wake();
  }

  fail(error: LogError): void {
    for (const following of [...this.#followings]) following.fail(error);
  }

  close(): void {
    for (const following of [...this.#followings]) following.close();
  }
}

interface Source {
  /** Absent while it cannot be reached. */
  store(): MemoryStore | undefined;
  closed(): void;
}

class MemoryFollowing implements Following {
  #next: Offset;
  readonly #follower: Follower;
  readonly #source: Source;
  #open = true;
  #awake = false;
  /** When it was seen to have read to the end. */
  #read_ms = Number.NEGATIVE_INFINITY;

  constructor(from: Offset, follower: Follower, source: Source) {
    this.#next = from;
    this.#follower = follower;
    this.#source = source;
  }

  get lag_ms(): number {
    const now_ms = performance.now();
    if (this.#next === this.#source.store()?.end) this.#read_ms = now_ms;
    return now_ms - this.#read_ms;
  }

  written(): void {
    if (!this.#awake && this.#source.store() !== undefined) this.#read_ms = performance.now();
    this.wake();
  }

  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    setImmediate(() => {
      this.#awake = false;
      this.#readOn();
    });
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
    const store = this.#source.store();
    if (!this.#open || store === undefined || this.#next === store.end) return;
    if (this.#next > store.end) {
      this.fail(
        new LogError("corrupt", `entry ${this.#next} is asked for, but the log ends at ${store.end}`),
      );
      return;
    }
    const batch = store.read(this.#next, READ.records);
    this.#next += batch.length;
    if (this.#next === store.end) this.#read_ms = performance.now();
    try {
      this.#follower.entries(batch);
    } catch (cause) {
      this.fail(new LogError("unavailable", "the follower threw", { cause }));
    }
    if (this.#open && this.#next < store.end) this.wake();
  }
}
