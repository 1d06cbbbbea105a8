/** A token bucket: so many at once, so many a second beyond. */
export class Allowance {
  readonly #burst: number;
  readonly #perMillisecond: number;
  readonly #now: () => number;
  #left: number;
  #at: number;

  /** `now` is a monotonic clock in milliseconds. */
  constructor(burst: number, perSecond: number, now: () => number = () => performance.now()) {
    this.#burst = burst;
    this.#perMillisecond = perSecond / 1_000;
    this.#now = now;
    this.#left = burst;
    this.#at = now();
  }

  /** Adds what was earned otherwise than by time; never above the burst. */
  earn(count: number): void {
    this.#left = Math.min(this.#burst, this.#left + count);
  }

  /** False when there is none left. */
  take(): boolean {
    const now = this.#now();
    this.earn((now - this.#at) * this.#perMillisecond);
    this.#at = now;
    if (this.#left < 1) {
      return false;
    }
    this.#left -= 1;
    return true;
  }
}
