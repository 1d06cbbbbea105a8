// What waits for the next batch, and the order in which it goes: that of the calls, urgent ones first.

import { BATCH } from "./limits.ts";

export interface Waiting {
  readonly urgent: boolean;
  /** What it counts for in a batch. */
  readonly bytes: number;
}

export class Turns<T extends Waiting> {
  #urgent: T[] = [];
  #normal: T[] = [];

  get waiting(): boolean {
    return this.#urgent.length + this.#normal.length > 0;
  }

  add(item: T): void {
    (item.urgent ? this.#urgent : this.#normal).push(item);
  }

  /** Takes the next batch: as many as go into one write, at least one if any waits. */
  take(): readonly T[] {
    const batch: T[] = [];
    let bytes = 0;
    for (const queue of [this.#urgent, this.#normal]) {
      let taken = 0;
      for (const item of queue) {
        const full = batch.length === BATCH.records || bytes + item.bytes > BATCH.bytes;
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
