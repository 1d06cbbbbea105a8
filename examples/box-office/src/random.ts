// Seeded randomness: the same seed, the same burst.

/** mulberry32 (Tommy Ettinger's finaliser, 32 bits of state): small and even enough for jitter and schedules, and
 * for nothing that must be hard to guess. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0, below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** At least `low`, below `high`. */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** A generator of its own for one of many users of a seed. */
  fork(): Random {
    return new Random(this.next() * 2 ** 32);
  }
}
