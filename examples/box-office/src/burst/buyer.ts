// One buyer: an ordinary, patient HTTP client that wants one seat.
//
// Where there are several gateways to the same queue, it comes to one of them and asks any of them, and keeps away from
// one whose connection broke.
//
//   purchase --2xx, 409, 5xx--> done
//      |  ^ broken (again, with the same key, if asked to)
//     202
//      v
//   ticket --200--> ticket, after Retry-After          --502, 504, 410--> done
//      |  ^ broken: again, after a back-off
//     303
//      v
//   response --the service's own answer--> done

import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome, Purpose } from "../lines.ts";
import type { Random } from "../random.ts";
import { Gateways } from "./gateways.ts";
import type { Journal, RequestJournal } from "./journal.ts";
import { type Meaning, read, type Told, told } from "./reading.ts";
import { backoff_ms } from "./waiting.ts";
import { type WireAnswer, WireError, type WireRequest } from "./wire.ts";

/** How often in a row a buyer's request may bring no word before it gives up. 60, well over half a minute. */
const FAILURES_MAX = 60;

/** How many redirections in a row are followed. */
const REDIRECTS_MAX = 5;

export interface BuyerSettings {
  readonly number: number;
  /** The `Idempotency-Key`. */
  readonly key: string;
  /** The shop's, or those of Usher's gateways to it, as `http://host:port`. */
  readonly origins: readonly string[];
  /** Whether a purchase whose connection broke, or that Usher put off, is sent again, with the same key. */
  readonly retry: boolean;
  /** When the buyer gives up, whatever happens: epoch milliseconds. */
  readonly deadline_ms: number;
}

/** The last word on the matter. */
interface Ending {
  readonly outcome: Outcome;
  readonly status: number | null;
  readonly purchase: string | null;
}

const lost: Ending = { outcome: "lost", status: null, purchase: null };

export class Buyer {
  readonly #settings: BuyerSettings;
  readonly #gateways: Gateways;
  readonly #journal: Journal;
  readonly #random: Random;
  readonly #now: () => number;
  /** What the next request is for, and where it goes. */
  #to: Purpose = "purchase";
  #path = "/api/purchases";
  /** Requests in a row that brought no word; redirections in a row. */
  #failures = 0;
  #redirects = 0;

  constructor(settings: BuyerSettings, journal: Journal, random: Random, now: () => number) {
    this.#settings = settings;
    // Spread evenly: the n-th buyer comes to the n-th gateway, counted round.
    this.#gateways = new Gateways(settings.origins, settings.number - 1, random);
    this.#journal = journal;
    this.#random = random;
    this.#now = now;
  }

  /** Buys, and comes back when the matter is over; never rejects. Tells when it has been given a ticket. */
  async run(ticketed: () => void): Promise<Outcome> {
    let ending: Ending | undefined;
    while (ending === undefined) {
      const left_ms = this.#settings.deadline_ms - this.#now();
      ending = left_ms <= 0 ? lost : await this.#request(left_ms, ticketed);
    }
    this.#journal.outcome(ending.outcome, ending.status, ending.purchase);
    this.#gateways.close();
    return ending.outcome;
  }

  /** Sends the next request; undefined while the matter is open. */
  async #request(left_ms: number, ticketed: () => void): Promise<Ending | undefined> {
    const journal = this.#journal.request(this.#to, this.#gateways.number);
    let answer: WireAnswer;
    try {
      answer = await this.#gateways.wire.send(this.#next(), journal.sent, left_ms);
    } catch (error) {
      this.#gateways.avoid();
      journal.broken(error instanceof WireError ? error.code : String(error));
      const hopeless = this.#to === "purchase" && !this.#settings.retry;
      return hopeless ? { outcome: "failed", status: null, purchase: null } : this.#again(journal);
    }
    const said = told(answer);
    journal.answer(answer.status, said);
    const meaning = read(this.#to, answer, said.problem, this.#now());
    if (meaning.kind === "ticket") {
      journal.ticketed(said.ticket ?? 0, said.id);
      ticketed();
    }
    return this.#act(meaning, answer.status, said, journal);
  }

  async #act(
    meaning: Meaning,
    status: number,
    said: Told,
    journal: RequestJournal,
  ): Promise<Ending | undefined> {
    if (meaning.kind === "unclear") return this.#again(journal);
    if (meaning.kind === "final") return { outcome: meaning.outcome, status, purchase: said.purchase };
    if (meaning.kind === "follow") return this.#follow(meaning.location);
    this.#redirects = 0;
    if (meaning.kind === "later") {
      if (this.#to === "purchase" && !this.#settings.retry)
        return { outcome: "failed", status, purchase: null };
      // Counted as no word: a door that is always closed for now must not keep a buyer for ever.
      if (++this.#failures > FAILURES_MAX) return lost;
    } else {
      this.#failures = 0;
    }
    if (meaning.kind === "ticket" && !this.#go("ticket", meaning.location)) return lost;
    this.#gateways.change();
    journal.retry(meaning.after_ms);
    await this.#pause(meaning.after_ms);
    return undefined;
  }

  #follow(location: string): Ending | undefined {
    this.#failures = 0;
    return ++this.#redirects <= REDIRECTS_MAX && this.#go("response", location) ? undefined : lost;
  }

  async #again(journal: RequestJournal): Promise<Ending | undefined> {
    if (++this.#failures > FAILURES_MAX) return lost;
    const after_ms = backoff_ms(this.#failures, this.#random);
    journal.retry(after_ms);
    await this.#pause(after_ms);
    return undefined;
  }

  /** Turns to another address; false where it is not on the gateway that told it. What is relative may be asked of any
   * gateway. */
  #go(to: Purpose, location: string): boolean {
    const base = new URL(this.#path, this.#gateways.origin);
    const url = URL.parse(location, base.href);
    if (url === null || url.origin !== base.origin) return false;
    this.#to = to;
    this.#path = url.pathname + url.search;
    return true;
  }

  #next(): WireRequest {
    if (this.#to !== "purchase") return { method: "GET", path: this.#path, headers: {} };
    return {
      method: "POST",
      path: this.#path,
      headers: { "content-type": "application/json", "idempotency-key": this.#settings.key },
      body: JSON.stringify({ buyer: `buyer ${this.#settings.number}`, seats: 1 }),
    };
  }

  /** Not beyond the deadline, and never earlier than asked for: timers may fire a millisecond early. */
  async #pause(wanted_ms: number): Promise<void> {
    const left_ms = this.#settings.deadline_ms - this.#now();
    await sleep(Math.max(0, Math.min(Math.ceil(wanted_ms) + 1, left_ms)));
  }
}
