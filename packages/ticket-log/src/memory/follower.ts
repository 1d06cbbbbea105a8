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

  constructor(store: MemoryStore, max: number) {
    this.#store = store;
    this.#max = max;
  }

  follow(from: Offset, follower: Follower): Following {
    if (!Number.isSafeInteger(from) || from < 0) throw new RangeError(`${from} is not an offset`);
    if (this.#followings.size >= this.#max)
      throw new LogError("overloaded", `${this.#max} followers are there already`);
    const following: MemoryFollowing = new MemoryFollowing(from, follower, this.#store, () =>
      this.#followings.delete(following),
    );
    this.#followings.add(following);
    following.wake();
    return following;
  }

  /** Tells that there is more to read. */
  wake(): void {
    for (const following of this.#followings) following.wake();
  }

  fail(error: LogError): void {
    for (const following of [...this.#followings]) following.fail(error);
  }

  close(): void {
    for (const following of [...this.#followings]) following.close();
  }
}

class MemoryFollowing implements Following {
  #next: Offset;
  readonly #follower: Follower;
  readonly #store: MemoryStore;
  readonly #closed: () => void;
  #open = true;
  #awake = false;

  constructor(from: Offset, follower: Follower, store: MemoryStore, closed: () => void) {
    this.#next = from;
    this.#follower = follower;
    this.#store = store;
    this.#closed = closed;
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
    this.#closed();
  }

  #readOn(): void {
    const { end } = this.#store;
    if (!this.#open || this.#next === end) return;
    if (this.#next > end) {
      this.fail(new LogError("corrupt", `entry ${this.#next} is asked for, but the log ends at ${end}`));
      return;
    }
    const batch = this.#store.read(this.#next, READ.records);
    this.#next += batch.length;
    try {
      this.#follower.entries(batch);
    } catch (cause) {
      this.fail(new LogError("unavailable", "the follower threw", { cause }));
    }
    if (this.#open && this.#next < this.#store.end) this.wake();
  }
}
