// What waits for the next batch, and the order in which it goes: that of the calls, urgent ones first.

import { BATCH } from "./limits.ts";

/** How long batches stay smaller after one was too large for the store, in ms; a minute. */
const NARROW_MS = 60_000;

export interface Waiting {
  readonly urgent: boolean;
  /** What it counts for in a batch. */
  readonly bytes: number;
}

export class Turns<T extends Waiting> {
  #urgent: T[] = [];
  #normal: T[] = [];
  /** How many go into a batch, until a time on the monotonic clock. */
  #narrow: { readonly records: number; readonly until_ms: number } = { records: 1, until_ms: 0 };

  get waiting(): boolean {
    return this.#urgent.length + this.#normal.length > 0;
  }

  add(item: T): void {
    (item.urgent ? this.#urgent : this.#normal).push(item);
  }

  /** Takes the next batch: as many as go into one write, at least one if any waits. */
  take(): readonly T[] {
    const batch: T[] = [];
    const { records, until_ms } = this.#narrow;
    const most = performance.now() < until_ms ? records : BATCH.records;
    let bytes = 0;
    for (const queue of [this.#urgent, this.#normal]) {
      let taken = 0;
      for (const item of queue) {
        const full = batch.length >= most || bytes + item.bytes > BATCH.bytes;
        if (full && batch.length > 0) break;
        batch.push(item);
        bytes += item.bytes;
        taken++;
      }
      queue.splice(0, taken);
      if (queue.length > 0) break;
    }
    return batch;
  }

  /** The batch that was taken last is too large for the store: it goes again, in two. False: it is one alone, and what is
   * too large is known. */
  split(batch: readonly T[]): boolean {
    const until_ms = batch.length > 1 ? performance.now() + NARROW_MS : 0;
    this.#narrow = { records: Math.ceil(batch.length / 2), until_ms };
    if (batch.length < 2) return false;
    this.#urgent.unshift(...batch.filter(({ urgent }) => urgent));
    this.#normal.unshift(...batch.filter(({ urgent }) => !urgent));
    return true;
  }

  /** Takes out all that `leaves` is true of, whenever its turn would have been. */
  remove(leaves: (item: T) => boolean): readonly T[] {
    const gone = [...this.#urgent, ...this.#normal].filter(leaves);
    if (gone.length === 0) return gone;
    const left = new Set(gone);
    this.#urgent = this.#urgent.filter((item) => !left.has(item));
    this.#normal = this.#normal.filter((item) => !left.has(item));
    return gone;
  }
}
