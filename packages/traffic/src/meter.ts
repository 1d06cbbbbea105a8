// What one node has spent of a queue's limit, by requests that go straight through and by claimed ones alike.

import { Bucket } from "./bucket.ts";
import { checked, type Limit } from "./limit.ts";

/** What keeps a request from being sent now. */
export type Lack = "nothing" | "rate" | "room";

/** A request's leave to be in flight. */
export interface Permit {
  /** The request is over: its slot is free. The first call counts, later ones do nothing. */
  done(): void;
}

/** Every `now_ms` is of one monotonic clock, in milliseconds; fractions are allowed, and cut off. */
export class Meter {
  readonly #bucket: Bucket;
  #room = 0;
  #reserved = 0;
  #inFlight = 0;

  /** @throws LimitError */
  constructor(limit: Limit) {
    const { rate_thousandths, nodes } = checked(limit);
    this.#bucket = new Bucket(rate_thousandths, nodes);
    this.#setRoom(limit);
  }

  /** Takes a token and a slot; neither, and nothing is returned, where one of them is lacking. Each sending of a
   * request takes its own, a retry too. */
  take(now_ms: number): Permit | undefined {
    if (this.lack(now_ms) !== "nothing") return undefined;
    this.#bucket.spend();
    return this.#permit();
  }

  /** Takes a slot, whether there is one or not, and no token: for a queue in mode OPEN, where newcomers are not
   * held to the limit, and those who wait are held to it by the fold alone. Counts as in flight like any other. */
  takeAnyway(): Permit {
    return this.#permit();
  }

  /** What `take` would lack now; `room` where both are lacking. */
  lack(now_ms: number): Lack {
    if (this.#slots() < 1) return "room";
    return this.#bucket.tokens(now_ms) < 1 ? "rate" : "nothing";
  }

  /** How many times `take` would succeed now; `Infinity` without limits. */
  room(now_ms: number): number {
    return Math.max(0, Math.min(this.#slots(), this.#bucket.tokens(now_ms)));
  }

  /** When `take` could next succeed, for one timer: `now_ms` if now, `Infinity` if only a freed slot will help. */
  nextToken_ms(now_ms: number): number {
    return this.#slots() < 1 ? Number.POSITIVE_INFINITY : this.#bucket.next_ms(now_ms);
  }

  /** Requests that were let go and are not done. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Another limit from now on. A lower one drives nobody out: it only lets nobody in until there is room.
   * @throws LimitError and leaves the limit as it was */
  configure(limit: Limit, now_ms: number): void {
    const { rate_thousandths, nodes } = checked(limit);
    this.#bucket.configure(rate_thousandths, nodes, now_ms);
    this.#setRoom(limit);
  }

  #setRoom(limit: Limit): void {
    const { max_active, nodes, reserved } = checked(limit);
    this.#room = max_active === 0 ? Number.POSITIVE_INFINITY : Math.floor(max_active / nodes);
    this.#reserved = reserved;
  }

  #slots(): number {
    return this.#room - this.#reserved - this.#inFlight;
  }

  #permit(): Permit {
    this.#inFlight += 1;
    let open = true;
    return {
      done: () => {
        if (!open) return;
        open = false;
        this.#inFlight -= 1;
      },
    };
  }
}
