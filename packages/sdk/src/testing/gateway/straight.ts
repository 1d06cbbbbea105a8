// Who goes straight through to the service of a `defer` queue, without a ticket: whoever comes while nobody waits, and the
// limit allows it.

import type { Queue } from "@usher/queue";
import type { Clock } from "../../calls/clock.ts";

/** How much of the rate may be saved up, in ms; at least one request. */
const BURST_MS = 200;

export class StraightThrough {
  readonly #clock: Clock;
  /** Requests at the service that have no ticket. */
  #underWay = 0;
  #refilled_ms: number;
  #saved = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#refilled_ms = clock.now_ms();
  }

  /** Sends straight through, if it may; absent where it has to take a ticket. */
  async pass(queue: Queue, send: () => Promise<Response>): Promise<Response | undefined> {
    if (!this.#mayPass(queue)) return undefined;
    this.#saved--;
    this.#underWay++;
    try {
      return await send();
    } finally {
      this.#underWay--;
    }
  }

  #mayPass({ settings, waiting, active }: Queue): boolean {
    const { mode, max_active, rate_thousandths } = settings;
    this.#refill(rate_thousandths);
    if (mode === "open") return true;
    const hasRoom = max_active === 0 || active + this.#underWay < max_active;
    return mode === "auto" && waiting === 0 && hasRoom && (rate_thousandths === 0 || this.#saved >= 1);
  }

  #refill(rate_thousandths: number): void {
    const now_ms = this.#clock.now_ms();
    const perMs = rate_thousandths / 1_000_000;
    const most = Math.max(1, perMs * BURST_MS);
    this.#saved = Math.min(most, Math.max(0, this.#saved) + perMs * (now_ms - this.#refilled_ms));
    this.#refilled_ms = now_ms;
  }
}
