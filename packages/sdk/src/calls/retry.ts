// A call that is made again while that makes sense: all calls of the client are safe to repeat, for each carries a key, a
// request id or a token that tells the server that it is the same.

import { UsherError } from "../errors.ts";
import type { Call } from "../rpc/rpc.ts";
import type { RetryBudget } from "./budget.ts";
import type { Clock } from "./clock.ts";
import { backoff_ms, pause } from "./pause.ts";

export interface RetryOptions {
  readonly budget: RetryBudget;
  /** How often a call is made at most. */
  readonly attempts: number;
  /** How long one attempt may take, in milliseconds. */
  readonly timeout: number;
  /** By which it pauses; default: the machine's. */
  readonly clock?: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** Rejects with the last attempt's error, or an earlier one where that left it open whether anything has happened. */
export async function retried<A>(
  attempt: (call: Call) => Promise<A>,
  { budget, attempts, timeout, clock, signal }: RetryOptions,
): Promise<A> {
  let doubt: UsherError | undefined;
  for (let tries = 1; ; tries++) {
    try {
      const answer = await attempt({ signal, timeout });
      budget.earn();
      return answer;
    } catch (thrown) {
      const error = UsherError.from(thrown);
      if (error.outcome === "unknown") doubt = error;
      if (!error.retryable || tries >= attempts || !budget.spend()) throw inDoubt(error, doubt);
      await pause(backoff_ms(tries, error.retryAfter), signal, clock).catch((given: unknown) => {
        throw inDoubt(UsherError.from(given), doubt);
      });
    }
  }
}

/** A refusal says of its own attempt that nothing has happened, and nothing of those before. */
function inDoubt(error: UsherError, doubt: UsherError | undefined): UsherError {
  if (doubt === undefined || error.outcome === "unknown" || !error.retryable) return error;
  const { code, message, retryAfter, retryable } = error;
  const told = `${message} (and an attempt before may have got through: ${doubt.message})`;
  return new UsherError(code, told, { cause: error, retryAfter, kind: { retryable, outcome: "unknown" } });
}
