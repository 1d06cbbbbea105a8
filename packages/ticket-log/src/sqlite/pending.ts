// What was accepted and has not ended: what waits for the next batch, and the count of all.

import { BATCH, type LogLimits } from "../limits.ts";
import { LogError } from "../log.ts";
import type { Operation } from "./operation.ts";

/** Gives batches in the order of the calls, urgent ones first. */
export class Pending {
  readonly #limits: LogLimits;
  readonly #urgent: Operation[] = [];
  readonly #normal: Operation[] = [];
  #held = 0;
  #heldBytes = 0;

  constructor(limits: LogLimits) {
    this.#limits = limits;
  }

  /** How many have not ended, whether they wait or are being written. */
  get held(): number {
    return this.#held;
  }

  get waiting(): boolean {
    return this.#urgent.length + this.#normal.length > 0;
  }

  /** Counts something in. Throws "overloaded" when there is no more room. */
  enter(bytes: number): void {
    const { pending_max, pending_bytes_max } = this.#limits;
    if (this.#held >= pending_max) {
      throw new LogError("overloaded", `${pending_max} writes are waiting already`);
    }
    if (this.#heldBytes + bytes > pending_bytes_max) {
      throw new LogError(
        "overloaded",
        `${this.#heldBytes} of at most ${pending_bytes_max} bytes are waiting already`,
      );
    }
    this.#held++;
    this.#heldBytes += bytes;
  }

  /** Counts out what was counted in. */
  leave(bytes: number): void {
    this.#held--;
    this.#heldBytes -= bytes;
  }

  /** Throws "overloaded" when there is no more room. */
  add(operation: Operation): void {
    this.enter(operation.bytes);
    (operation.urgent ? this.#urgent : this.#normal).push(operation);
  }

  /** Takes the next batch: as many as go into one transaction, at least one if any waits. */
  take(): readonly Operation[] {
    const batch: Operation[] = [];
    let bytes = 0;
    for (const queue of [this.#urgent, this.#normal]) {
      let taken = 0;
      for (const operation of queue) {
        const full = batch.length === BATCH.records || bytes + operation.bytes > BATCH.bytes;
        if (full && batch.length > 0) break;
        batch.push(operation);
        bytes += operation.bytes;
        taken++;
      }
      queue.splice(0, taken);
      if (queue.length > 0) break;
    }
    return batch;
  }
}
