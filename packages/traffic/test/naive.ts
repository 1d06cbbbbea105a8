// A meter as one would write it first, without thought for speed: it keeps every take for ever and counts in
// BigInt. The histories of `histories.ts` run against it.

export interface Take {
  readonly at: number;
}

export class NaiveBucket {
  readonly #rate: bigint;
  readonly #nodes: bigint;
  readonly takes: Take[] = [];

  constructor(rate_thousandths: number, nodes: number) {
    this.#rate = BigInt(rate_thousandths);
    this.#nodes = BigInt(nodes);
  }

  /** One token more may be spent at `now` if no window that ends now would hold more than its share of the rate,
   * plus one burst. Windows begin at takes; time does not run backwards here. */
  allows(now: number): boolean {
    if (this.#rate === 0n) return true;
    return this.takes.every((first, index) => {
      const count = BigInt(this.takes.length - index + 1);
      return count * this.cost <= this.#rate * BigInt(now - first.at) + this.burst;
    });
  }

  get cost(): bigint {
    return 1_000_000n * this.#nodes;
  }

  get burst(): bigint {
    const burst = this.#rate * 200n;
    return burst > this.cost ? burst : this.cost;
  }
}
