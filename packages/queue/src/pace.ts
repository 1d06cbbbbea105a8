// How fast a queue admits, measured in log time: admissions a second over the last half minute, in one-second
// buckets. From it, how long a place in the line still waits.

const WINDOW_S = 30;
/** Less than this measured, and no pace is told. */
const MEASURED_MIN_MS = 1_000;
/** The 90th percentile of the standard normal distribution. */
const Z90 = 1.2816;

export class Pace {
  readonly #buckets = new Uint32Array(WINDOW_S);
  #second = 0;
  /** When the line last began to wait: before that, nothing is measured. */
  #since_ms: number | undefined;

  /** Tells that somebody waits from now on (a pause in which nobody waits says nothing of the pace). */
  begin(now_ms: number): void {
    this.#advance(now_ms);
    this.#buckets.fill(0);
    this.#since_ms = now_ms;
  }

  admitted(now_ms: number): void {
    this.#advance(now_ms);
    this.#buckets[this.#second % WINDOW_S]!++;
  }

  /** Admissions a second; absent while too little was measured, or nobody was admitted. */
  perSecond(now_ms: number): number | undefined {
    if (this.#since_ms === undefined) return undefined;
    const oldest_ms = Math.max(this.#since_ms, (Math.floor(now_ms / 1000) - WINDOW_S + 1) * 1000);
    const measured_ms = now_ms - oldest_ms;
    if (measured_ms < MEASURED_MIN_MS) return undefined;
    const oldest_s = Math.floor(now_ms / 1000) - WINDOW_S;
    let count = 0;
    for (let back = 0; back < WINDOW_S; back++) {
      if (this.#second - back > oldest_s)
        count += this.#buckets[(((this.#second - back) % WINDOW_S) + WINDOW_S) % WINDOW_S]!;
    }
    return count === 0 ? undefined : (count * 1000) / measured_ms;
  }

  /** When it began to be measured. */
  get since_ms(): number | undefined {
    return this.#since_ms;
  }

  /** The seconds in which somebody was admitted and how many, one after the other, as far back as they count. */
  measured(now_ms: number): number[] {
    const oldest_s = Math.floor(now_ms / 1000) - WINDOW_S;
    const counts: number[] = [];
    for (let second = Math.max(this.#second - WINDOW_S, oldest_s) + 1; second <= this.#second; second++) {
      const count = this.#buckets[((second % WINDOW_S) + WINDOW_S) % WINDOW_S]!;
      if (count > 0) counts.push(second, count);
    }
    return counts;
  }

  #advance(now_ms: number): void {
    const second = Math.floor(now_ms / 1000);
    for (let s = Math.max(this.#second + 1, second - WINDOW_S + 1); s <= second; s++)
      this.#buckets[s % WINDOW_S] = 0;
    this.#second = second;
  }
}

/** How long a place waits at a pace, in ms: the median, and what nine of ten do not exceed. Admissions are taken as
 * a Poisson process, so that the time of the n-th has mean n / pace and deviation √n / pace. */
export function waitAt(position: number, perSecond: number): { p50_ms: number; p90_ms: number } {
  return {
    p50_ms: (position * 1000) / perSecond,
    p90_ms: ((position + Z90 * Math.sqrt(position)) * 1000) / perSecond,
  };
}
