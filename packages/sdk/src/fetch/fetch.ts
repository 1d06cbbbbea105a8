// `fetch` that waits its turn. A request that Usher keeps, or sends away with a place in the line, is followed until the
// service's own answer is there; everything else is what `fetch` makes of it.
//
//                      ┌─ anything else ──────────────────────────────────────▶ the caller
//   request ──▶ answer ┼─ 202 and a ticket (`defer`) ─▶ the stored request's end ─▶ its answer ─▶ the caller
//                ▲     └─ 429 and a ticket (`pass`) ──▶ the turn ─┐
//                └──────────── with the pass ────────────────────┘
//
//   request.ts  a request that can be made again     place.ts   a ticket as a resource
//   answers.ts  which answers are Usher's            memory.ts  what is kept across reloads

import { RetryBudget } from "../calls/budget.ts";
import { type Clock, clockOf } from "../calls/clock.ts";
import { backoff_ms, pause } from "../calls/pause.ts";
import { type ErrorCode, UsherError } from "../errors.ts";
import { type FollowTimings, follow } from "../following/follow.ts";
import { hasEnded, type Status } from "../status.ts";
import { problemIn, retryAfter_ms, ticketIn } from "./answers.ts";
import { Memory, type Storage } from "./memory.ts";
import { Place } from "./place.ts";
import { type FetchInput, type Repeatable, repeatable } from "./request.ts";

export interface FetchOptions {
  /** Told where the ticket stands: at once, and at every change. Positions never rise. */
  readonly onStatus?: (status: Status) => void;
  /** Told of failures that are mended without a word, and of a storage that cannot be used: for a log. */
  readonly onFault?: (error: unknown) => void;
  /** What becomes of a ticket whose request is aborted: "leave", which is the default, gives it up; "keep" lets it wait,
   * and its request be carried out. */
  readonly onAbort?: "leave" | "keep";
  /** Where tickets are remembered, such as `localStorage`: the same request, made again after a reload, takes up its
   * ticket instead of another. Default: nowhere. */
  readonly storage?: Storage;
  /** The origins that a gateway stands before. Requests to others are left alone. Default: in a browser the page's own, and
   * anywhere else all. */
  readonly origins?: readonly string[];
  /** What sends the requests; default: the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** How often a request is sent at most, when it fails before it has a ticket; 5. */
  readonly attempts?: number;
  /** How streams are judged; for tests, and for networks that are known to be odd. */
  readonly timings?: Partial<FollowTimings>;
}

/** A `fetch` that waits its turn. */
export function createFetch(options: FetchOptions = {}): typeof fetch {
  const waiting = new WaitingFetch(options);
  return (input, init) => waiting.fetch(input, init);
}

/** What waiting has come to: an answer for the caller, or leave to ask for it. */
interface Turn {
  readonly response?: Response;
  readonly refused?: ErrorCode;
  readonly pass?: string;
}

class WaitingFetch {
  readonly #options: FetchOptions;
  readonly #send: typeof fetch;
  readonly #budget = new RetryBudget();
  readonly #memory: Memory;
  readonly #clock: Clock;

  constructor(options: FetchOptions) {
    this.#options = options;
    // The global one is looked up at each call, for it may be replaced; and it must be called as a function.
    this.#send = options.fetch ?? ((input, init) => fetch(input, init));
    this.#clock = clockOf(options.fetch);
    this.#memory = new Memory(options.storage, options.onFault);
  }

  async fetch(input: FetchInput, init: RequestInit = {}): Promise<Response> {
    const request = new Request(input, init);
    if (!this.#isOurs(request)) return this.#send(input, init);
    const made = await repeatable(input, init, request);
    const entry = await this.#memory.open(made);
    const headers = { ...entry.headers };
    let place =
      entry.ticket === undefined ? undefined : new Place(entry.ticket, made, this.#send, this.#clock);
    let isRemembered = place !== undefined;
    let from: Status | undefined;
    try {
      for (;;) {
        if (place === undefined) {
          const response = await this.#sendOnce(made, headers);
          const ticket = await ticketIn(response, made.url);
          if (ticket === undefined) {
            entry.close();
            return response;
          }
          place = new Place(ticket.url, made, this.#send, this.#clock);
          from = ticket.status;
          entry.keep(ticket.url);
        }
        const turn = await this.#wait(place, made, from);
        // What another gateway gave out, before this one was there, has never reached the service behind this one.
        const isElsewhere = isRemembered && turn.refused === "token_invalid";
        if (turn.response !== undefined && !isElsewhere) {
          entry.close();
          return turn.response;
        }
        // Its turn: the request itself is made now. Whatever ends the pass sends it to the line again.
        entry.drop();
        place = undefined;
        isRemembered = false;
        if (turn.pass !== undefined) headers["usher-pass"] = turn.pass;
      }
    } catch (error) {
      // It has left the line, or tried to.
      if (made.signal?.aborted && this.#options.onAbort !== "keep") entry.close();
      throw error;
    }
  }

  #isOurs({ url }: Request): boolean {
    const { origins } = this.#options;
    const { origin } = new URL(url);
    if (origins !== undefined) return origins.includes(origin);
    const page = (globalThis as { location?: { origin?: string } }).location?.origin;
    return page === undefined || page === origin;
  }

  /** Sends it, again where nobody has answered, or a node says that it cannot just now: the keys make it one request. */
  async #sendOnce(request: Repeatable, headers: Readonly<Record<string, string>>): Promise<Response> {
    const { attempts = 5, onFault } = this.#options;
    for (let tries = 1; ; tries++) {
      const mayRepeat = () => tries < attempts && request.isRepeatable && this.#budget.spend();
      try {
        const response = await this.#send(request.url, request.init(headers));
        const problem = await problemIn(response);
        if (!problem?.retryable || !mayRepeat()) {
          if (response.status < 500) this.#budget.earn();
          return response;
        }
        onFault?.(problem);
        await pause(backoff_ms(tries, retryAfter_ms(response)), request.signal, this.#clock);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (error instanceof UsherError || !mayRepeat()) throw error;
        onFault?.(error);
        await pause(backoff_ms(tries), request.signal, this.#clock);
      }
    }
  }

  /** Waits at a place in the line: for the answer where the request is stored there, for the pass where it is not. */
  async #wait(place: Place, request: Repeatable, from: Status | undefined): Promise<Turn> {
    const { onStatus, onFault, onAbort = "leave", timings } = this.#options;
    const { signal } = request;
    if (from !== undefined) onStatus?.(from);
    try {
      const options = {
        budget: this.#budget,
        clock: this.#clock,
        signal,
        ...(timings && { timings }),
        ...(from && { from }),
        ...(onFault && { onRetry: onFault }),
      };
      for await (const status of follow(place, options)) {
        onStatus?.(status);
        if (status.pass !== undefined && status.state === "admitted") return { pass: status.pass };
        if (hasEnded(status)) break;
      }
      return { response: await place.answer(this.#budget) };
    } catch (error) {
      if (signal?.aborted) {
        if (onAbort === "leave") await place.leave().catch((fault: unknown) => onFault?.(fault));
        throw signal.reason;
      }
      // What the gateway says of a ticket that is none (any more) is an answer as good as any.
      if (error instanceof UsherError && place.refusal !== undefined)
        return { response: place.refusal, refused: error.code };
      throw error;
    }
  }
}
