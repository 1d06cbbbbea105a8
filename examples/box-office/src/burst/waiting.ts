// How long a polite client waits before it asks again.

import type { Random } from "../random.ts";

/** The first wait after a broken connection is at most this, and the bound doubles with each; in milliseconds. */
const BACKOFF_FIRST_MS = 100;

/** No wait after a broken connection is longer, in milliseconds. */
const BACKOFF_MAX_MS = 2_000;

/** A `Retry-After`, seconds or an HTTP date, as milliseconds from `now_ms` on; undefined where there is none that
 * can be read. */
export function retryAfter_ms(value: unknown, now_ms: number): number | undefined {
  if (typeof value !== "string") return undefined;
  if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value) * 1000;
  // A date names its weekday; without that, Date.parse would take "1.5" for one.
  const date = /^\s*[A-Z][a-z]{2}/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now_ms);
}

/** Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", 2015): anything from nothing up
 * to a bound that doubles with each failure in a row, so that those who were cut off together do not come back
 * together. `failures` counts from 1. */
export function backoff_ms(failures: number, random: Random): number {
  return random.between(0, Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1)));
}
