// What all parts of a client share: the way to the server, and how hard to try.

import { amount } from "../calls/amount.ts";
import { RetryBudget } from "../calls/budget.ts";
import { type Clock, REAL_CLOCK } from "../calls/clock.ts";
import type { RetryOptions } from "../calls/retry.ts";
import type { FollowTimings } from "../following/follow.ts";
import type { BackendRpc, Rpc } from "../rpc/rpc.ts";

export interface TryOptions {
  /** How long one attempt of a call may take, in milliseconds, and how long a stream may take to begin; 10,000. */
  readonly timeout?: number;
  /** How often a call is made at most, when it fails and may be made again; 5. Watches go on until they are ended. */
  readonly attempts?: number;
  /** How streams are judged; for tests, and for networks that are known to be odd. */
  readonly timings?: Partial<FollowTimings>;
}

export interface Wire<R extends Rpc = Rpc> {
  readonly rpc: R;
  readonly retry: Required<Pick<RetryOptions, "budget" | "attempts" | "timeout" | "clock">>;
  readonly timings: Partial<FollowTimings>;
}

export type BackendWire = Wire<BackendRpc>;

/** Throws `misused` where an option makes no sense. `clock`: the machine's, but in tests. */
export function wireOf<R extends Rpc>(rpc: R, options: TryOptions, clock: Clock = REAL_CLOCK): Wire<R> {
  const { timeout = 10_000, attempts = 5, timings = {} } = options;
  const retry = {
    budget: new RetryBudget(),
    attempts: amount("attempts", attempts, "attempts"),
    timeout: amount("timeout", timeout, "milliseconds"),
    clock,
  };
  return { rpc, retry, timings };
}
