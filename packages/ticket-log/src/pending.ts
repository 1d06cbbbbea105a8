// What was accepted and has not ended, counted: no more than the limits say.

import type { LogLimits } from "./limits.ts";
import { LogError } from "./log.ts";

export class Pending {
  readonly #limits: LogLimits;
  #held = 0;
  #heldBytes = 0;
  readonly #idle: (() => void)[] = [];

  constructor(limits: LogLimits) {
    this.#limits = limits;
  }

  /** How many have not ended, whether they wait or are being written. */
  get held(): number {
    return this.#held;
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

  /** Counts out what was counted in. Called after its caller was told. */
  leave(bytes: number): void {
    this.#held--;
    this.#heldBytes -= bytes;
    if (this.#held > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when all that was counted in has ended. */
  async idle(): Promise<void> {
    if (this.#held === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}
