// `fetch` that waits its turn. A request that Usher keeps, or sends away with a place in the line, is followed until the
// service's own answer is there; everything else is what `fetch` makes of it.
//
//                      ┌─ anything else ──────────────────────────────────────▶ the caller
//   request ──▶ answer ┼─ 202 and a ticket (`defer`) ─▶ the stored request's end ─▶ its answer ─▶ the caller
//                ▲     └─ 429 and a ticket (`pass`) ──▶ the turn ─┐
//                └──────────── with the pass ────────────────────┘
//
//   request.ts  a request that can be made again     place.ts      a ticket as a resource
//   answers.ts  which answers are Usher's            memory.ts     what is kept across reloads
//   lost.ts     whether what has no answer is kept   redirects.ts  where a service sends the caller
//   timed.ts    questions that take only so long     sharers.ts    which requests share a place

import { amount } from "../calls/amount.ts";
import { RetryBudget } from "../calls/budget.ts";
import { type Clock, clockOf } from "../calls/clock.ts";
import { backoff_ms, pause } from "../calls/pause.ts";
import { provesUnsent } from "../calls/unsent.ts";
import { type ErrorCode, UsherError } from "../errors.ts";
import { type FollowTimings, follow } from "../following/follow.ts";
import { originsIn } from "../rpc/base-url.ts";
import { hasEnded, type Status } from "../status.ts";
import { isOwnProblem, problemIn, retryAfter_ms, ticketIn } from "./answers.ts";
import { askKept } from "./lost.ts";
import { type Entry, Memory, type Storage } from "./memory.ts";
import { Place } from "./place.ts";
import { afterRedirect, redirectIn } from "./redirects.ts";
import { type FetchInput, type Repeatable, repeatable } from "./request.ts";
import { type Sharer, Sharers } from "./sharers.ts";

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
  /** How often a request is sent at most, before it has a ticket, when a node cannot take it just now, or nobody answers
   * one that changes nothing, or went nowhere; 5. What is not sent again is asked after instead, and counts as sent. */
  readonly attempts?: number;
  /** How streams are judged; for tests, and for networks that are known to be odd. */
  readonly timings?: Partial<FollowTimings>;
}

/** A `fetch` that waits its turn. Throws `misused` where an option makes no sense. */
export function createFetch(options: FetchOptions = {}): typeof fetch {
  const waiting = new WaitingFetch(options);
  // As for the global one, null is none.
  return (input, init) => waiting.fetch(input, init ?? {});
}

/** What waiting has come to: an answer for the caller, or leave to ask for it. */
interface Turn {
  readonly response?: Response;
  readonly refused?: ErrorCode;
  readonly pass?: string;
}

/** So often a request is sent with a pass that leads to the line again; then the caller is told of it. */
const TURNS_MAX = 5;

class WaitingFetch {
  readonly #options: FetchOptions;
  readonly #send: typeof fetch;
  readonly #budget = new RetryBudget();
  readonly #origins: ReadonlySet<string> | undefined;
  readonly #attempts: number;
  readonly #memory: Memory;
  readonly #clock: Clock;
  readonly #sharers = new Sharers();

  constructor(options: FetchOptions) {
    this.#options = options;
    // The global one is looked up at each call, for it may be replaced; and it must be called as a function.
    this.#send = options.fetch ?? ((input, init) => fetch(input, init));
    this.#origins = options.origins && originsIn(options.origins);
    this.#attempts = amount("attempts", options.attempts ?? 5, "attempts");
    this.#clock = clockOf(options.fetch);
    this.#memory = new Memory(options.storage, options.onFault);
  }

  async fetch(input: FetchInput, init: RequestInit): Promise<Response> {
    if (!this.#isOurs(input)) return this.#send(input, init);
    // Each is what it was until the redirects' end: made again, it is the same one, and leads there again.
    const entries: Entry[] = [];
    const close = (): void => {
      for (const entry of entries) entry.close();
    };
    let [address, how]: [FetchInput, RequestInit] = [input, init];
    for (let redirects = 0; ; redirects++) {
      const made = await repeatable(address, how);
      const entry = await this.#clock.during(this.#memory.open(made, redirects));
      entries.push(entry);
      const response = await this.#answerTo(made, entry, close);
      const next = redirectIn(response, made, redirects);
      if (next === undefined) {
        close();
        return redirects === 0 ? response : afterRedirect(response);
      }
      [address, how] = next;
      if (this.#isOurs(address)) continue;
      const elsewhere = await this.#send(address, how);
      close();
      return afterRedirect(elsewhere);
    }
  }

  /** The service's own answer to one request, when its turn has come. `close`: forgets it. */
  async #answerTo(made: Repeatable, entry: Entry, close: () => void): Promise<Response> {
    made.signal?.throwIfAborted();
    const headers = { ...entry.headers };
    const key = headers["idempotency-key"];
    let place = entry.ticket === undefined ? undefined : this.#placeAt(entry.ticket, made);
    const sharer: Sharer = { name: key && `${key} ${made.method} ${made.url}`, place };
    let isRemembered = place !== undefined;
    let from: Status | undefined;
    this.#sharers.add(sharer);
    try {
      for (let turns = 0; ; turns++) {
        if (place === undefined) {
          // A pass that is not taken, or does not get through, leads to the line again.
          if (turns > 0) await pause(backoff_ms(turns), made.signal, this.#clock);
          const response = await this.#sendOnce(made, headers);
          // To take a turn is to send it again.
          const isOver = turns >= TURNS_MAX || (response.status === 429 && hasHappened(made, response));
          const ticket = isOver ? undefined : await ticketIn(response, made.url);
          if (ticket === undefined) return response;
          place = this.#placeAt(ticket.url, made, ticket.status);
          from = ticket.status;
          entry.keep(ticket.url);
        }
        sharer.place = place;
        const turn = await this.#waitAt(place, made, from, isRemembered);
        if (turn.response !== undefined) return turn.response;
        // Its turn: the request itself is made now.
        entry.drop();
        place = undefined;
        sharer.place = undefined;
        isRemembered = false;
        if (turn.pass !== undefined) headers["usher-pass"] = turn.pass;
      }
    } catch (error) {
      const { onAbort, onFault } = this.#options;
      if (made.signal?.aborted && onAbort !== "keep") {
        close();
        if (!this.#sharers.hasOther(sharer))
          this.#giveUp(made, place, headers).catch((fault: unknown) => onFault?.(fault));
      }
      made.signal?.throwIfAborted();
      throw error;
    } finally {
      this.#sharers.delete(sharer);
    }
  }

  /** Leaves the line. The gateway may have a request, too, that it had not answered yet when it was aborted. */
  async #giveUp(
    request: Repeatable,
    place: Place | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    if (place !== undefined) return place.leave();
    if (request.isSafe || headers["usher-pass"] !== undefined) return;
    const lost = { send: this.#send, clock: this.#clock, budget: this.#budget, attempts: 2 };
    const kept = await askKept({ ...request, signal: undefined }, headers, lost);
    const ticket = kept && (await ticketIn(kept, request.url));
    if (ticket !== undefined) await this.#placeAt(ticket.url, request).leave();
  }

  /** By the address alone: what is left alone must be left as it is. */
  #isOurs(input: FetchInput): boolean {
    const page = (globalThis as { location?: { origin?: string; href?: string } }).location;
    const address = input instanceof Request ? input.url : `${input}`;
    if (!URL.canParse(address, page?.href)) return false;
    const { origin } = new URL(address, page?.href);
    if (this.#origins !== undefined) return this.#origins.has(origin);
    return page?.origin === undefined || page.origin === origin;
  }

  #placeAt(url: string, request: Repeatable, from?: Status): Place {
    return new Place(url, { request, send: this.#send, clock: this.#clock, from });
  }

  /** Sends it. Again where a node says that nothing has happened and that it cannot just now; and where nobody has answered,
   * if it changes nothing, or surely went nowhere: any other may have been carried out, and is asked after. */
  async #sendOnce(request: Repeatable, headers: Readonly<Record<string, string>>): Promise<Response> {
    const { onFault } = this.#options;
    const attempts = this.#attempts;
    const lost = { send: this.#send, clock: this.#clock, budget: this.#budget, attempts };
    for (let tries = 1; ; tries++) {
      const mayRepeat = () => tries < attempts && this.#budget.spend();
      try {
        const response = await this.#send(request.url, request.init(headers));
        const problem = isOwnProblem(response) ? await problemIn(response) : undefined;
        const isRefused = problem?.outcome === "refused" && !hasHappened(request, response);
        const isRepeatable = problem?.retryable && (request.isSafe || isRefused);
        if (problem === undefined || !isRepeatable || !mayRepeat()) {
          if (response.status < 500) this.#budget.earn();
          const isUnknown = problem?.code === "outcome_unknown" && !isRepeatable;
          return (isUnknown && (await askKept(request, headers, lost))) || response;
        }
        onFault?.(problem);
        await pause(backoff_ms(tries, retryAfter_ms(response)), request.signal, this.#clock);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (error instanceof UsherError) throw error;
        // Where the platform follows redirects, it may be one of those that went nowhere.
        const isUnsent = request.redirect !== "follow" && provesUnsent(error);
        const isRepeatable = request.isSafe || isUnsent;
        const kept = isRepeatable ? undefined : await askKept(request, headers, lost);
        if (kept === undefined && (!isRepeatable || !mayRepeat())) throw error;
        onFault?.(error);
        if (kept !== undefined) return kept;
        await pause(backoff_ms(tries), request.signal, this.#clock);
      }
    }
  }

  /** Waits at a place in the line. `isRemembered`: whether it was taken before this page was there. */
  async #waitAt(
    place: Place,
    request: Repeatable,
    from: Status | undefined,
    isRemembered: boolean,
  ): Promise<Turn> {
    try {
      const turn = await this.#wait(place, request, from);
      // What another gateway gave out, before this one was there, has never reached the service behind this one.
      return isRemembered && turn.refused === "token_invalid" ? {} : turn;
    } catch (error) {
      request.signal?.throwIfAborted();
      if (!isRemembered) throw error;
      // What was remembered leads nowhere, and the request has its key.
      this.#options.onFault?.(error);
      return {};
    }
  }

  /** Waits for the answer where the request is stored at its place, for the pass where it is not. */
  async #wait(place: Place, request: Repeatable, from: Status | undefined): Promise<Turn> {
    const { onFault, timings } = this.#options;
    const { signal } = request;
    if (from !== undefined) this.#tell(from);
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
        this.#tell(status);
        if (status.pass !== undefined && status.state === "admitted") return { pass: status.pass };
        if (hasEnded(status)) break;
      }
      return { response: await place.answer(this.#budget) };
    } catch (error) {
      // What the gateway says of a ticket that is none (any more) is an answer as good as any.
      if (error instanceof UsherError && place.refusal !== undefined)
        return { response: place.refusal, refused: error.code };
      throw error;
    }
  }

  /** What a listener throws is not the request's fault. */
  #tell(status: Status): void {
    const { onStatus, onFault } = this.#options;
    try {
      onStatus?.(status);
    } catch (error) {
      onFault?.(error);
    }
  }
}

/** Whether a refusal is not of the request itself, which changes something, but of what it led to: the platform has followed a
 * redirect, with which the service had answered. */
function hasHappened({ isSafe }: Repeatable, { redirected }: Response): boolean {
  return redirected && !isSafe;
}
