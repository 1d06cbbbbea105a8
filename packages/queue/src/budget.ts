// A queue's budget: a token bucket in log time. Counted in millionths of a ticket, so that every replica computes
// the same whole numbers: thousandths of a ticket a second times milliseconds are millionths of a ticket.

const TICKET = 1_000_000;

/** How much of the rate may be saved up, in milliseconds: enough that a tick that comes late loses nothing, too
 * little to be felt by the service. */
export const BURST_MS = 200;

/** Two ticks, in milliseconds. */
const HEADROOM_MS = 100;

export class Budget {
  #rate_thousandths: number;
  #millionths: number;

  /** Begins full. */
  constructor(rate_thousandths: number) {
    this.#rate_thousandths = rate_thousandths;
    this.#millionths = this.#burst;
  }

  /** One burst: 200 ms of the rate, at least a ticket and what two ticks bring. With less, what a tick brings beyond a
   * ticket would be lost, and a queue of five a second would admit four. */
  get #burst(): number {
    return Math.max(TICKET + this.#rate_thousandths * HEADROOM_MS, this.#rate_thousandths * BURST_MS);
  }

  /** Whole tickets that may be admitted now; Infinity where there is no limit of rate. */
  get tickets(): number {
    return this.#rate_thousandths === 0 ? Number.POSITIVE_INFINITY : Math.floor(this.#millionths / TICKET);
  }

  get millionths(): number {
    return this.#millionths;
  }

  get rate_thousandths(): number {
    return this.#rate_thousandths;
  }

  configure(rate_thousandths: number): void {
    this.#rate_thousandths = rate_thousandths;
    this.#millionths = Math.min(this.#millionths, this.#burst);
  }

  refill(elapsed_ms: number): void {
    this.#millionths = Math.min(this.#burst, this.#millionths + this.#rate_thousandths * elapsed_ms);
  }

  empty(): void {
    this.#millionths = 0;
  }

  /** Takes one ticket's worth; the caller has seen that there is one. */
  spend(): void {
    if (this.#rate_thousandths !== 0) this.#millionths -= TICKET;
  }
}
