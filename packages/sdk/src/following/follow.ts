// Follows a ticket until its end, whatever happens in between: a stream while streams work, asking at the pace that the
// server names where they do not, and after every failure again, by the token, at any node.
//
//        ┌──────────── broke off, silent, "come back later" ───────────┐
//        ▼                                                             │
//     stream ── three in a row that bring nothing or are cut short ──▶ ask ──▶ the end, or an error that stays
//
// What reaches the caller never goes back: no position rises, and no end is undone.

import { RetryBudget } from "../calls/budget.ts";
import { type Clock, REAL_CLOCK } from "../calls/clock.ts";
import { backoff_ms, patience_ms, pause, spread_ms } from "../calls/pause.ts";
import { unlessSilent } from "../calls/silence.ts";
import { type ErrorCode, UsherError } from "../errors.ts";
import type { Watched } from "../rpc/rpc.ts";
import { hasEnded, later, type Status } from "../status.ts";

/** How a ticket is followed over one wire. */
export interface Source {
  /** `asOf`: how far has been seen. `signal` also ends a stream that is silent for too long. */
  stream(asOf: string, signal: AbortSignal): AsyncIterable<Watched>;
  ask(asOf: string, signal: AbortSignal | undefined): Promise<Status>;
}

export interface FollowTimings {
  /** How long a stream may be silent, in milliseconds; 40,000: a server says something every 15 s, so two are missing. */
  readonly silence: number;
  /** A stream that ends sooner than this, in milliseconds, was cut short; 20,000. */
  readonly short: number;
  /** The pace of asking where the server names none, in milliseconds; 5,000. */
  readonly pace: number;
  /** Within this time, in milliseconds, those come back whose streams broke off together; 2,000, and twice that after each
   * further failure: 3,000 of them are 1,500 a second. */
  readonly reconnect: number;
}

export const FOLLOW_TIMINGS: FollowTimings = {
  silence: 40_000,
  short: 20_000,
  pace: 5_000,
  reconnect: 2_000,
};

export interface FollowOptions {
  readonly budget?: RetryBudget;
  readonly signal?: AbortSignal | undefined;
  readonly timings?: Partial<FollowTimings>;
  /** By which it pauses, and judges streams; default: the machine's. */
  readonly clock?: Clock;
  /** What is known already. */
  readonly from?: Status;
  /** Told of each failure that is mended without a word to the caller. */
  readonly onRetry?: (error: UsherError) => void;
}

/** Where no stream may be opened, though the ticket may be asked for. */
const REFUSED_STREAMS: ReadonlySet<ErrorCode> = new Set(["overloaded", "not_implemented"]);

/** What may be the fault of something in between that lets no stream through. */
const STREAM_ERRORS: ReadonlySet<ErrorCode> = new Set([
  ...REFUSED_STREAMS,
  "deadline_exceeded",
  "unexpected_answer",
]);

/** So many streams in a row that were no use, and the ticket is asked for instead. */
const USELESS_MAX = 3;

/** Yields each status that differs from the last; returns after the ticket's end. Throws a `UsherError` that no further
 * try would mend, or `canceled`. */
export async function* follow(source: Source, options: FollowOptions = {}): AsyncGenerator<Status, void> {
  const { signal, onRetry, budget = new RetryBudget(), clock = REAL_CLOCK } = options;
  const timings = { ...FOLLOW_TIMINGS, ...options.timings };
  let last = options.from;
  let told = last && textOf(last);
  let failures = 0;
  let useless = 0;
  /** What is worth telling; absent where it is what was told. */
  const take = (status: Status): Status | undefined => {
    last = later(last, status);
    failures = 0;
    budget.earn();
    const text = textOf(last);
    if (text === told) return undefined;
    told = text;
    return last;
  };
  while (last === undefined || !hasEnded(last)) {
    const begun_ms = clock.now_ms();
    const wasShort = () => clock.now_ms() - begun_ms < timings.short;
    let messages = 0;
    try {
      if (useless >= USELESS_MAX) {
        const news = take(await source.ask(last?.asOf ?? "0", signal));
        if (news) yield news;
        if (!last || !hasEnded(last)) await pause(spread_ms(last?.retryAfter ?? timings.pace), signal, clock);
        continue;
      }
      let reconnect_ms: number | undefined;
      const asOf = last?.asOf ?? "0";
      const open = (signal: AbortSignal) => source.stream(asOf, signal);
      for await (const { status, reconnectAfter } of unlessSilent(open, timings.silence, signal, clock)) {
        messages++;
        const news = status && take(status);
        if (news) yield news;
        reconnect_ms = reconnectAfter;
        if (reconnect_ms !== undefined || (last && hasEnded(last))) break;
      }
      if (last && hasEnded(last)) return;
      if (reconnect_ms === undefined) useless = wasShort() ? useless + 1 : 0;
      await pause(reconnect_ms ?? backoff_ms(1, 0, timings.reconnect), signal, clock);
      // The first pause is over: where nobody is there yet, the next one is spread over twice the time.
      failures = 1;
    } catch (thrown) {
      const error = UsherError.from(thrown);
      if (signal?.aborted) throw new UsherError("canceled", "the caller gave up", { cause: signal.reason });
      const isStream = useless < USELESS_MAX;
      const isStreamsFault = isStream && STREAM_ERRORS.has(error.code);
      if (!error.retryable && !isStreamsFault) throw error;
      if (isStream && (isStreamsFault || messages > 0)) {
        useless = wasShort() || messages === 0 ? useless + 1 : 0;
      }
      if (REFUSED_STREAMS.has(error.code)) useless = USELESS_MAX;
      onRetry?.(error);
      failures++;
      await pause(patience_ms(budget, failures, error.retryAfter, timings.reconnect), signal, clock);
    }
  }
}

/** What makes a status worth telling: not how far the node has read, nor when to ask again, which is up to chance. */
function textOf({ asOf, retryAfter, ...rest }: Status): string {
  return JSON.stringify(rest);
}
