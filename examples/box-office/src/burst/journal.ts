// What a buyer does and is told, written down as it happens.

import type { EpochClock } from "../clock.ts";
import type { LineFile } from "../line-file.ts";
import type { BuyersLine, Outcome, Purpose } from "../lines.ts";
import type { Told } from "./reading.ts";

export class Journal {
  readonly #file: LineFile<BuyersLine>;
  readonly #clock: EpochClock;
  readonly #buyer: number;
  #requests = 0;

  constructor(file: LineFile<BuyersLine>, clock: EpochClock, buyer: number) {
    this.#file = file;
    this.#clock = clock;
    this.#buyer = buyer;
  }

  scheduled(due_ms: number, key: string): void {
    this.#file.write({ kind: "scheduled", ...this.#head(), due_ms, key });
  }

  /** Begins another request, to that gateway (from 1). */
  request(to: Purpose, gateway: number): RequestJournal {
    const request = ++this.#requests;
    return {
      sent: () => this.#file.write({ kind: "sent", ...this.#head(), request, to, gateway }),
      answer: (status, { problem, ticket, position, purchase, seats }) =>
        this.#file.write({
          kind: "answer",
          ...this.#head(),
          request,
          to,
          gateway,
          status,
          ticket,
          position,
          problem,
          purchase,
          seats,
        }),
      broken: (error) => this.#file.write({ kind: "broken", ...this.#head(), request, to, gateway, error }),
      ticketed: (number, id) => this.#file.write({ kind: "ticketed", ...this.#head(), request, number, id }),
      retry: (after_ms) => this.#file.write({ kind: "retry", ...this.#head(), request, after_ms }),
    };
  }

  outcome(outcome: Outcome, status: number | null, purchase: string | null): void {
    this.#file.write({ kind: "outcome", ...this.#head(), outcome, status, purchase });
  }

  #head(): { readonly at_ms: number; readonly buyer: number } {
    return { at_ms: this.#clock.now(), buyer: this.#buyer };
  }
}

/** One request of a buyer: sent once or not at all, then either answered or broken. */
export interface RequestJournal {
  sent(): void;
  answer(status: number, told: Told): void;
  broken(error: string): void;
  ticketed(number: number, id: string): void;
  retry(after_ms: number): void;
}
