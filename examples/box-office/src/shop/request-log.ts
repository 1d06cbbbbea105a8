// The shop's own account of every request that it sees, which the burst is judged by.

import type { EpochClock } from "../clock.ts";
import type { LineFile } from "../line-file.ts";
import type { ShopLine } from "../lines.ts";

/** What a request brings with it. */
export interface Arrival {
  /** By which of the shop's doors, from 1. */
  readonly door: number;
  readonly method: string;
  readonly path: string;
  readonly key: string | null;
  readonly ticket: number | null;
}

/** How it went. */
export interface Ending {
  readonly status: number | null;
  readonly buyer?: string;
  readonly purchase?: string;
  readonly seats?: readonly number[];
  readonly replay?: boolean;
}

export class RequestLog {
  readonly #file: LineFile<ShopLine>;
  readonly #clock: EpochClock;
  /** Requests that have not ended; each is one connection's, so at most as many as the shop takes connections. */
  readonly #open = new Set<OpenRequest>();
  #requests = 0;
  #inFlight = 0;
  #inFlightMax = 0;

  constructor(
    file: LineFile<ShopLine>,
    clock: EpochClock,
    options: Record<string, string | number | boolean>,
  ) {
    this.#file = file;
    this.#clock = clock;
    file.write({ kind: "start", at_ms: clock.now(), options });
  }

  /** Purchases that have arrived and not ended. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** The most that it ever was. */
  get inFlightMax(): number {
    return this.#inFlightMax;
  }

  /** Notes that a request has arrived. `purchase`: whether it is one, and counts as in flight until it ends. */
  arrive(arrival: Arrival, purchase: boolean): OpenRequest {
    const arrived_ms = this.#clock.now();
    if (purchase) this.#inFlight++;
    this.#inFlightMax = Math.max(this.#inFlightMax, this.#inFlight);
    const head = {
      kind: "request",
      request: ++this.#requests,
      arrived_ms,
      in_flight: this.#inFlight,
      in_flight_max: this.#inFlightMax,
      ...arrival,
    } as const;
    const open = new OpenRequest((ending) => {
      this.#open.delete(open);
      if (purchase) this.#inFlight--;
      this.#file.write({
        ...head,
        ended_ms: ending.status === null ? null : this.#clock.now(),
        status: ending.status,
        buyer: ending.buyer ?? null,
        purchase: ending.purchase ?? null,
        seats: ending.seats ?? [],
        replay: ending.replay ?? false,
      });
      // Nobody has an answer that the file does not tell of, not even if the shop is killed the next moment.
      this.#file.flush();
    });
    this.#open.add(open);
    return open;
  }

  /** Writes down those that have not ended, too, and closes the file. */
  close(): void {
    for (const open of this.#open) open.end({ status: null });
    this.#file.close(this.#clock.now());
  }
}

/** A request between its arrival and its end. */
export class OpenRequest {
  #write: ((ending: Ending) => void) | undefined;

  constructor(write: (ending: Ending) => void) {
    this.#write = write;
  }

  /** Counts it down and writes its line. To be called before the last byte of the answer is handed over, so that
   * nobody can have the answer while the request still counts. Only the first call counts. */
  end(ending: Ending): void {
    const write = this.#write;
    this.#write = undefined;
    write?.(ending);
  }
}
