// How long a request that the service refused, or that did not reach it, is left alone before it is sent again.

import type { StoredResponse } from "@usher/protocol/payload";

/** Without a word of the service, in ms: doubled with each attempt, up to the most. */
const BASE_MS = 1_000;
const MOST_MS = 30_000;
/** By what part a pause is lengthened or shortened at random, so that those who failed together come back apart. */
const JITTER = 0.2;

/** The longest that a service is believed, in ms; two minutes. The request keeps its slot meanwhile. */
const RETRY_AFTER_MOST_MS = 120_000;
/** By what part a pause that the service asked for is lengthened at random, never shortened: it may have told
 * everybody the same. */
const RETRY_AFTER_JITTER = 0.1;

/** In ms, whole. `attempt`: the one that failed, counted from 1. `wall_ms`: now, for a service that names a time. */
export function pause_ms(attempt: number, refusal: StoredResponse | undefined, wall_ms: number): number {
  const asked_ms = refusal && retryAfter_ms(refusal, wall_ms);
  if (asked_ms !== undefined)
    return Math.round(Math.min(RETRY_AFTER_MOST_MS, asked_ms) * (1 + RETRY_AFTER_JITTER * Math.random()));
  const doubled_ms = Math.min(MOST_MS, BASE_MS * 2 ** (attempt - 1));
  return Math.round(doubled_ms * (1 + JITTER * (2 * Math.random() - 1)));
}

/** When the service wants to be asked again (RFC 9110, 10.2.3): in so many seconds, or at a time by its own clock where
 * it tells that. Absent where it does not say, or cannot be understood. */
function retryAfter_ms(refusal: StoredResponse, wall_ms: number): number | undefined {
  const wanted = headerOf(refusal, "retry-after");
  if (wanted === undefined) return undefined;
  if (/^\d{1,9}$/.test(wanted)) return Number(wanted) * 1_000;
  const at_ms = date_ms(wanted);
  const now_ms = date_ms(headerOf(refusal, "date")) ?? wall_ms;
  return at_ms === undefined ? undefined : Math.max(0, at_ms - now_ms);
}

/** A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`. The older two forms are nobody's any more. */
function date_ms(text: string | undefined): number | undefined {
  if (text === undefined || !/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(text))
    return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

function headerOf({ headers }: StoredResponse, wanted: string): string | undefined {
  const header = headers.find(({ name }) => name.toLowerCase() === wanted);
  return header && Buffer.from(header.value).toString("latin1").trim();
}
