// A token bucket in whole numbers: nothing is ever rounded, so nothing drifts.

/** How long, in milliseconds, a bucket gathers before it is full; 200, the fold's own burst. */
export const BURST_ms = 200;

/** How far, in milliseconds, a caller's time may lie behind one seen before and still be a late call rather than
 * a clock set back; 1,000. Behind by less, nothing is refilled until time catches up; by more, time is taken to
 * start anew, so that a clock that jumped ahead and back does not starve the bucket. */
const LATE_ms = 1_000;

const MICRO = 1_000_000;

/** Fills at `rate_thousandths / nodes` and holds 200 ms of that, at least one token.
 *
 * A rate of r thousandths a second is r millionths of a token a millisecond, and a share of it is that divided by
 * `nodes`. The level is therefore counted in millionths of a token divided by `nodes`: every refill is the whole
 * number r × ms, and a token costs 1,000,000 × nodes. */
export class Bucket {
  #rate: number;
  #nodes: number;
  #capacity: number;
  #level: number;
  #time_ms = Number.NEGATIVE_INFINITY;

  /** Starts full. `rate_thousandths` 0: never runs out. */
  constructor(rate_thousandths: number, nodes: number) {
    this.#rate = rate_thousandths;
    this.#nodes = nodes;
    this.#capacity = capacity(rate_thousandths, nodes);
    this.#level = this.#capacity;
  }

  /** How many tokens may be spent at `now_ms`. */
  tokens(now_ms: number): number {
    if (this.#rate === 0) return Number.POSITIVE_INFINITY;
    this.#refill(now_ms);
    return Math.floor(this.#level / this.#cost);
  }

  /** Spends a token that `tokens` just told of. */
  spend(): void {
    if (this.#rate !== 0) this.#level -= this.#cost;
  }

  /** When there will be a token, in whole milliseconds, if none is spent before; `now_ms` if there is one. */
  next_ms(now_ms: number): number {
    if (this.tokens(now_ms) > 0) return now_ms;
    return this.#time_ms + Math.ceil((this.#cost - this.#level) / this.#rate);
  }

  /** From `now_ms` on, fills at another rate. What has gathered is kept as far as it fits; after no limit at all,
   * the bucket is full. */
  configure(rate_thousandths: number, nodes: number, now_ms: number): void {
    const unlimited = this.#rate === 0;
    if (!unlimited) this.#refill(now_ms);
    // The product stays a whole number: a level is at most 200 × 10^9, and nodes at most 1,000.
    const kept = Math.floor((this.#level * nodes) / this.#nodes);
    this.#rate = rate_thousandths;
    this.#nodes = nodes;
    this.#capacity = capacity(rate_thousandths, nodes);
    this.#level = unlimited ? this.#capacity : Math.min(kept, this.#capacity);
  }

  get #cost(): number {
    return MICRO * this.#nodes;
  }

  #refill(now_ms: number): void {
    const now = Math.floor(now_ms);
    if (!Number.isSafeInteger(now)) return;
    const elapsed = now - this.#time_ms;
    if (elapsed < 0) {
      if (elapsed < -LATE_ms) this.#time_ms = now;
      return;
    }
    this.#time_ms = now;
    const missing = this.#capacity - this.#level;
    // Compared before it is multiplied: no time is so long that the product could leave the whole numbers.
    if (elapsed >= missing / this.#rate) this.#level = this.#capacity;
    else this.#level += this.#rate * elapsed;
  }
}

function capacity(rate_thousandths: number, nodes: number): number {
  return Math.max(MICRO * nodes, rate_thousandths * BURST_ms);
}
