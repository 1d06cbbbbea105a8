// Followers. Each reads on in turns of its own, from the offset that it needs next, until it is at the end; what is
// written wakes it.

import { Followings, Receiver } from "../followings.ts";
import { READ } from "../limits.ts";
import { type Follower, type Following, LogError, type Offset } from "../log.ts";
import type { MemoryStore } from "./store.ts";

/** All followers of a log. */
export class Followers {
  readonly #store: MemoryStore;
  readonly #followings: Followings<MemoryFollowing>;
  /** The store cannot be reached. */
  #cut = false;

  constructor(store: MemoryStore, max: number) {
    this.#store = store;
    this.#followings = new Followings(max);
  }

  follow(from: Offset, follower: Follower): Following {
    const store = () => (this.#cut ? undefined : this.#store);
    const following = this.#followings.add(
      from,
      (closed) => new MemoryFollowing(from, new Receiver(follower, closed), store),
    );
    following.wake();
    return following;
  }

  /** Tells that there is more to read since this moment. */
  written(): void {
    for (const following of this.#followings.all) following.written();
  }

  cut(): void {
    this.#cut = true;
  }

  mend(): void {
    this.#cut = false;
    for (const following of this.#followings.all) following.wake();
  }

  fail(error: LogError): void {
    this.#followings.fail(error);
  }

  close(): void {
    this.#followings.close();
  }
}

class MemoryFollowing implements Following {
  readonly #receiver: Receiver;
  /** Absent while it cannot be reached. */
  readonly #store: () => MemoryStore | undefined;
  #next: Offset;
  #awake = false;
  /** When it was seen to have read to the end. */
  #read_ms = Number.NEGATIVE_INFINITY;

  constructor(from: Offset, receiver: Receiver, store: () => MemoryStore | undefined) {
    this.#next = from;
    this.#receiver = receiver;
    this.#store = store;
  }

  get lag_ms(): number {
    const now_ms = performance.now();
    if (this.#next === this.#store()?.end) this.#read_ms = now_ms;
    return now_ms - this.#read_ms;
  }

  written(): void {
    if (!this.#awake && this.#store() !== undefined) this.#read_ms = performance.now();
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
    this.#receiver.fail(error);
  }

  close(): void {
    this.#receiver.close();
  }

  #readOn(): void {
    const store = this.#store();
    if (!this.#receiver.open || store === undefined || this.#next === store.end) return;
    if (this.#next > store.end) {
      this.fail(
        new LogError("corrupt", `entry ${this.#next} is asked for, but the log ends at ${store.end}`),
      );
      return;
    }
    const batch = store.read(this.#next, READ.records);
    this.#next += batch.length;
    if (this.#next === store.end) this.#read_ms = performance.now();
    this.#receiver.deliver(batch, this.#next);
    if (this.#receiver.open && this.#next < store.end) this.wake();
  }
}
