// Questions of this client's own, which take only so long.

import type { Clock } from "../calls/clock.ts";
import { UsherError } from "../errors.ts";

/** How long an answer may take, as far as it is read, in milliseconds; 10,000. */
const ASK_MS = 10_000;

export interface TimedOptions {
  readonly send: typeof fetch;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

/** Asks, and gives up where the answer, as far as it is read, is not there in time. */
export async function timed<A>(
  url: string,
  init: RequestInit,
  { send, clock, signal }: TimedOptions,
  read: (response: Response) => Promise<A>,
): Promise<A> {
  const late = new AbortController();
  const error = new UsherError("deadline_exceeded", `no answer within ${ASK_MS} ms`);
  const stop = clock.after(ASK_MS, () => late.abort(error));
  const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
  try {
    return await read(await send(url, { ...init, signal: either }));
  } catch (thrown) {
    // A body that is cut off has been read as one of another kind.
    throw late.signal.aborted ? error : thrown;
  } finally {
    stop();
  }
}
