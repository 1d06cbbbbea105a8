// The gateways that a buyer knows, and the one that it asks next: any of them, but for those whose connection broke,
// as a client does that has several addresses of one service.

import type { Random } from "../random.ts";
import { Wire } from "./wire.ts";

export class Gateways {
  readonly #origins: readonly string[];
  readonly #wires: readonly Wire[];
  readonly #random: Random;
  /** Those whose connection broke since all had. */
  readonly #avoided = new Set<number>();
  #current: number;

  /** Begins with the one at this index, counted round. */
  constructor(origins: readonly string[], first: number, random: Random) {
    if (origins.length === 0) throw new RangeError("a buyer has to know a gateway");
    this.#origins = origins;
    this.#wires = origins.map((origin) => new Wire(origin));
    this.#random = random;
    this.#current = first % origins.length;
  }

  /** From 1. */
  get number(): number {
    return this.#current + 1;
  }

  get origin(): string {
    return this.#origins[this.#current]!;
  }

  get wire(): Wire {
    return this.#wires[this.#current]!;
  }

  /** Takes any, this one included. */
  change(): void {
    const choice = [...this.#origins.keys()].filter((index) => !this.#avoided.has(index));
    this.#current = choice[Math.floor(this.#random.next() * choice.length)] ?? this.#current;
  }

  /** The connection to this one broke: takes another, if there is one that is not avoided already. */
  avoid(): void {
    this.#avoided.add(this.#current);
    if (this.#avoided.size === this.#origins.length) this.#avoided.clear();
    this.change();
  }

  /** Hangs up. */
  close(): void {
    for (const wire of this.#wires) wire.close();
  }
}
