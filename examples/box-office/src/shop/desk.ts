// Where purchases are made: takes an order to a worker and sells the seats.

import type { Order } from "./order.ts";
import type { Venue } from "./venue.ts";
import type { Workers } from "./workers.ts";

export interface Sale {
  readonly status: 201;
  readonly purchase: string;
  readonly seats: readonly number[];
  /** Made by an earlier request under the same key. */
  readonly replay: boolean;
}

export interface Refusal {
  /** 409: sold out. 422: the key was used with another order. 499: the caller has gone. 503: too many wait.
   * 504: waited too long. */
  readonly status: 409 | 422 | 499 | 503 | 504;
  readonly error: string;
}

interface Remembered {
  readonly order: Order;
  readonly answer: Promise<Sale | Refusal>;
}

export class Desk {
  readonly #venue: Venue;
  readonly #workers: Workers;
  readonly #idempotent: boolean;
  /** By key, those in flight and those sold: at most as many as the line, the workers and the seats together. */
  readonly #remembered = new Map<string, Remembered>();
  #purchases = 0;

  constructor(venue: Venue, workers: Workers, idempotent: boolean) {
    this.#venue = venue;
    this.#workers = workers;
    this.#idempotent = idempotent;
  }

  /** Puts all seats up for sale again; who bought one before is not known any more. */
  restock(): void {
    this.#venue.restock();
    this.#remembered.clear();
  }

  /** The same key twice is the same purchase, if this desk is idempotent; else the key means nothing. `caller` takes
   * the order back when it aborts before a worker has begun; not where another request may share it. */
  async order(order: Order, key: string | undefined, caller: AbortSignal): Promise<Sale | Refusal> {
    if (!this.#idempotent || key === undefined) return this.#sell(order, caller);
    const earlier = this.#remembered.get(key);
    if (earlier === undefined) {
      const answer = this.#sell(order);
      this.#remembered.set(key, { order, answer });
      const first = await answer;
      if (first.status !== 201) this.#remembered.delete(key);
      return first;
    }
    if (earlier.order.buyer !== order.buyer || earlier.order.seats !== order.seats) {
      return { status: 422, error: "this Idempotency-Key was used with another order" };
    }
    const answer = await earlier.answer;
    return answer.status === 201 ? { ...answer, replay: true } : answer;
  }

  async #sell(order: Order, caller?: AbortSignal): Promise<Sale | Refusal> {
    if (this.#venue.left === 0) return { status: 409, error: "sold out" };
    const result = await this.#workers.run(caller);
    if (result === "full") return { status: 503, error: "too many purchases at once" };
    if (result === "timed_out") return { status: 504, error: "waited too long for a worker" };
    if (result === "left") return { status: 499, error: "the caller has gone" };
    const seats = this.#venue.sell(order.seats);
    if (seats === undefined) return { status: 409, error: `only ${this.#venue.left} seats are left` };
    this.#purchases++;
    return { status: 201, purchase: `p-${this.#purchases}`, seats, replay: false };
  }
}
