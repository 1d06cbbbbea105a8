// What the followers of any adapter have in common: how many there may be, and how one is told and ended.

import { type Follower, LogError, type Offset, type StoredEntry } from "./log.ts";

/** One follower: told in order, until it is closed or has failed. */
export class Receiver {
  readonly #follower: Follower;
  readonly #closed: () => void;
  #open = true;

  /** `closed` is called when it is told nothing more. */
  constructor(follower: Follower, closed: () => void) {
    this.#follower = follower;
    this.#closed = closed;
  }

  get open(): boolean {
    return this.#open;
  }

  deliver(entries: readonly StoredEntry[], next: Offset): void {
    if (!this.#open) return;
    try {
      this.#follower.entries(entries, next);
    } catch (cause) {
      // It must not, but one that does takes no other along, nor the writers.
      this.fail(new LogError("unavailable", "the follower threw", { cause }));
    }
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
}

interface Ends {
  fail(error: LogError): void;
  close(): void;
}

/** All followings of a log. */
export class Followings<F extends Ends> {
  readonly #max: number;
  readonly #all = new Set<F>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Those that there are now. */
  get all(): readonly F[] {
    return [...this.#all];
  }

  /** Adds one, which is to call `closed` when it ends. Throws a `RangeError` for what is no offset, a `LogError` when
   * there are too many. */
  add(from: Offset, make: (closed: () => void) => F): F {
    if (!Number.isSafeInteger(from) || from < 0) throw new RangeError(`${from} is not an offset`);
    if (this.#all.size >= this.#max)
      throw new LogError("overloaded", `${this.#max} followers are there already`);
    const following: F = make(() => this.#all.delete(following));
    this.#all.add(following);
    return following;
  }

  fail(error: LogError): void {
    for (const following of this.all) following.fail(error);
  }

  close(): void {
    for (const following of this.all) following.close();
  }
}
