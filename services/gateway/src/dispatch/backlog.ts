// The admitted stored requests of one queue that nobody has claimed, in the order of their numbers: what is next.

/** When a request may be claimed. */
export interface Waiting {
  readonly number: number;
  /** Which claim it would be, from 1. */
  readonly attempt: number;
  /** It has been claimed before, to be sent. */
  readonly retry: boolean;
  /** Not before this, in ms of log time. */
  readonly notBefore_ms: number;
}

export class Backlog {
  /** Ascending by number. Admissions come in that order, so additions are at the end but for retries. */
  readonly #waiting: Waiting[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  add(entry: Waiting): void {
    const at = this.#at(entry.number);
    const known = this.#waiting[at]?.number === entry.number;
    this.#waiting.splice(at, known ? 1 : 0, entry);
  }

  delete(number: number): void {
    const at = this.#at(number);
    if (this.#waiting[at]?.number === number) this.#waiting.splice(at, 1);
  }

  /** Takes out the lowest that may be claimed now. `mayRetry`: whether one that has been sent may be sent again. */
  next(now_ms: number, mayRetry: (number: number) => boolean): Waiting | undefined {
    const at = this.#waiting.findIndex(
      ({ number, notBefore_ms, retry }) => notBefore_ms <= now_ms && (!retry || mayRetry(number)),
    );
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }

  /** Where the number is, or would be. */
  #at(number: number): number {
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#waiting[middle]!.number < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
