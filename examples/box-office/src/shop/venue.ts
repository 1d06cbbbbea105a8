// The seats.

/** Sells the seats 1 to `total` in order, each once. */
export class Venue {
  readonly total: number;
  #sold = 0;

  constructor(total: number) {
    this.total = total;
  }

  get left(): number {
    return this.total - this.#sold;
  }

  /** The numbers of the seats sold; undefined, and none sold, where fewer are left. */
  sell(count: number): number[] | undefined {
    if (count > this.left) return undefined;
    const seats = Array.from({ length: count }, (_, index) => this.#sold + index + 1);
    this.#sold += count;
    return seats;
  }
}
