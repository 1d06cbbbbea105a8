// The two files that a burst leaves behind, line by line (NDJSON): the shop's, of every request that reached it, and
// the buyers', of everything that they did and were told. The table and the picture are made from these alone.
//
// Both begin with `start` and close with `end`; their lines are numbered from 1, so that a line that is missing,
// repeated or moved shows. Times are `EpochClock`'s: milliseconds since 1970, rising from event to event.

interface Line {
  /** Where the line stands in its file, from 1. */
  readonly line: number;
}

export interface StartLine extends Line {
  readonly kind: "start";
  readonly at_ms: number;
  /** How the program was started, for people to read. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

export interface EndLine extends Line {
  readonly kind: "end";
  readonly at_ms: number;
  /** Lines that found no room in the file (`LineFile`'s limit); 0, or the file proves nothing. */
  readonly dropped: number;
}

/** One request that the shop saw; written when it ended. */
export interface RequestLine extends Line {
  readonly kind: "request";
  /** The shop's n-th request has number n, in the order of arrival. */
  readonly request: number;
  /** When its head had been read. */
  readonly arrived_ms: number;
  /** Just before the last byte of its answer was handed over; null when the shop was closed first. */
  readonly ended_ms: number | null;
  /** How many purchases were in flight when it had arrived, itself counted if it is one. */
  readonly in_flight: number;
  /** The most purchases in flight so far. */
  readonly in_flight_max: number;
  /** By which of the shop's doors it came, from 1. Each node of Usher has one of its own. */
  readonly door: number;
  readonly method: string;
  /** Without the query; at most 256 characters. */
  readonly path: string;
  /** Its `Idempotency-Key`. */
  readonly key: string | null;
  readonly buyer: string | null;
  /** Its `Usher-Ticket`: the number of the ticket that it waited with. */
  readonly ticket: number | null;
  /** The answer's status; 499 where the caller hung up before the shop had begun on it; null as `ended_ms`. */
  readonly status: number | null;
  readonly purchase: string | null;
  /** The seats that this purchase got; empty without one. */
  readonly seats: readonly number[];
  /** Answered with the purchase that an earlier request under the same key made: nothing was carried out. */
  readonly replay: boolean;
}

export type ShopLine = StartLine | EndLine | RequestLine;

/** What a buyer's request was for: to purchase, to ask after a ticket, or to fetch the service's answer. */
export type Purpose = "purchase" | "ticket" | "response";

/**
 * - `answered`: the service's own final answer came (2xx, or 409: sold out).
 * - `failed`: told, or to be taken, as not done: another status, a time-out, a broken connection that is not retried.
 * - `unknown`: told by Usher that it may have been carried out or not.
 * - `lost`: neither of these: the buyer was left without a final word.
 */
export type Outcome = "answered" | "failed" | "unknown" | "lost";

interface BuyerLine extends Line {
  readonly at_ms: number;
  /** 1 to the number of buyers. */
  readonly buyer: number;
}

/** A buyer will come at `due_ms`. */
export interface ScheduledLine extends BuyerLine {
  readonly kind: "scheduled";
  readonly due_ms: number;
  /** Its `Idempotency-Key`: 128 random bits. */
  readonly key: string;
}

/** A request's head goes to its socket now. */
export interface SentLine extends BuyerLine {
  readonly kind: "sent";
  /** The buyer's n-th attempt at a request has number n, also when it never got as far as being sent. */
  readonly request: number;
  readonly to: Purpose;
  /** To which of the addresses that the buyers know, from 1. */
  readonly gateway: number;
}

/** A request's answer is there, whole. */
export interface AnswerLine extends BuyerLine {
  readonly kind: "answer";
  readonly request: number;
  readonly to: Purpose;
  readonly gateway: number;
  readonly status: number;
  /** The number of the buyer's ticket, where the answer tells it (its Status, or the header `Usher-Ticket`). */
  readonly ticket: number | null;
  readonly position: number | null;
  /** The `type` of a problem of Usher's own (application/problem+json); else null: the service's word, or a Status. */
  readonly problem: string | null;
  readonly purchase: string | null;
  readonly seats: readonly number[];
}

/** A request ended without a whole answer. */
export interface BrokenLine extends BuyerLine {
  readonly kind: "broken";
  readonly request: number;
  readonly to: Purpose;
  readonly gateway: number;
  /** The system's or the client's code: ECONNRESET, UND_ERR_SOCKET, TIMEOUT. */
  readonly error: string;
}

/** A ticket was given to the buyer (a 202). */
export interface TicketedLine extends BuyerLine {
  readonly kind: "ticketed";
  readonly request: number;
  readonly number: number;
  /** The ticket's id, `<queue>:<epoch>:<number>`; empty where it was not told. */
  readonly id: string;
}

/** The buyer tries again, or asks again, after `after_ms`. */
export interface RetryLine extends BuyerLine {
  readonly kind: "retry";
  /** The request that did not end the matter. */
  readonly request: number;
  readonly after_ms: number;
}

/** The buyer is done. */
export interface OutcomeLine extends BuyerLine {
  readonly kind: "outcome";
  readonly outcome: Outcome;
  /** Of the final answer; null without one. */
  readonly status: number | null;
  readonly purchase: string | null;
}

export type BuyersLine =
  | StartLine
  | EndLine
  | ScheduledLine
  | SentLine
  | AnswerLine
  | BrokenLine
  | TicketedLine
  | RetryLine
  | OutcomeLine;

/** A line before its file has numbered it. */
export type Unnumbered<T> = T extends Line ? Omit<T, "line"> : never;
