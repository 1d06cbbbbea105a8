// Pauses, and how long they are.

import { UsherError } from "../errors.ts";
import type { RetryBudget } from "./budget.ts";
import { type Clock, REAL_CLOCK } from "./clock.ts";

/** The first pause between two tries of a call is at most this long, in milliseconds, and each further one at most twice
 * as long. */
const FIRST_MS = 250;

/** The longest pause, in milliseconds. */
export const PAUSE_MS_MAX = 15_000;

/** The pause before a further try: full jitter, as in Marc Brooker's "Exponential Backoff And Jitter" (AWS, 2015), so that
 * thousands who lost the same node at the same moment come back spread; and never sooner than the server has asked for.
 * `tries`: how many have failed in a row, from 1. */
export function backoff_ms(tries: number, retryAfter = 0, first_ms = FIRST_MS, random = Math.random): number {
  const bound_ms = Math.min(PAUSE_MS_MAX, first_ms * 2 ** Math.min(tries - 1, 10));
  return retryAfter + random() * bound_ms;
}

/** The same for what goes on until it is ended, and so is never given up: where the budget is spent, as after many tries. */
export function patience_ms(
  budget: RetryBudget,
  tries: number,
  ...more: [retryAfter?: number, first_ms?: number]
): number {
  return backoff_ms(budget.spend() ? tries : Number.POSITIVE_INFINITY, ...more);
}

/** A server's pace, spread by a tenth to either side: those who came together do not stay together. */
export function spread_ms(pace_ms: number, random = Math.random): number {
  return pace_ms * (0.9 + random() * 0.2);
}

/** Rejects with a `UsherError` when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal | undefined, clock: Clock = REAL_CLOCK): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      cancel();
      reject(new UsherError("canceled", "the caller gave up", { cause: signal?.reason }));
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener("abort", end);
      resolve();
    });
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
  });
}
