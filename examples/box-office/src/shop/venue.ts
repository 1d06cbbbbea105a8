// The seats of an evening.

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

  /** Puts all seats up for sale again, as for another evening. */
  restock(): void {
    this.#sold = 0;
  }

  /** The numbers of the seats sold; undefined, and none sold, where fewer are left. */
  sell(count: number): number[] | undefined {
    if (count > this.left) return undefined;
    const seats = Array.from({ length: count }, (_, index) => this.#sold + index + 1);
    this.#sold += count;
    return seats;
  }
}
