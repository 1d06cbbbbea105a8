// A newcomer who would wait longer than the route allows is told so at once, instead of being given a ticket that is of
// no use to it.

import type { Desk } from "@usher/replica";
import { type Problem, problem } from "../listener/problem.ts";
import type { Route } from "../route.ts";

/** The longest time after which a newcomer is told to try again, in seconds; ten minutes: a line may empty sooner than
 * it is thought to. */
const RETRY_MOST_S = 600;
/** By what part that is lengthened at random, so that those who were refused together come back apart. */
const RETRY_JITTER = 0.2;

/** Why a newcomer gets no ticket; absent: it may have one, also while nobody knows how long it would wait. */
export function waitTooLong(
  desk: Desk,
  queue: string,
  { max_wait_ms }: Pick<Route, "max_wait_ms">,
): Problem | undefined {
  const wait_ms = max_wait_ms === undefined ? undefined : desk.newcomerWait_ms(desk.queue(queue));
  if (max_wait_ms === undefined || wait_ms === undefined || wait_ms <= max_wait_ms) return undefined;
  const [wait_s, most_s] = [Math.round(wait_ms / 1_000), max_wait_ms / 1_000];
  const retry_s = ((wait_ms - max_wait_ms) / 1_000) * (1 + RETRY_JITTER * Math.random());
  const detail = `the wait would be about ${wait_s} s, and requests such as this may wait ${most_s} s; nothing was stored`;
  return {
    ...problem("wait_too_long", detail, Math.ceil(Math.min(RETRY_MOST_S, retry_s))),
    members: { queue, waitP50: `${wait_s}s`, maxWait: `${most_s}s` },
  };
}
