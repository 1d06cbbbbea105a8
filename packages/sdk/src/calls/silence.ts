// Streams that say nothing: a connection can be dead without anybody having closed it.

import { UsherError } from "../errors.ts";
import { type Clock, REAL_CLOCK } from "./clock.ts";

/** A stream that is ended, with `deadline_exceeded`, when it is silent for so many milliseconds while somebody listens; and by
 * the signal. */
export async function* unlessSilent<A>(
  open: (signal: AbortSignal) => AsyncIterable<A>,
  silence_ms: number,
  signal: AbortSignal | undefined,
  clock: Clock = REAL_CLOCK,
): AsyncGenerator<A, void> {
  const ended = new AbortController();
  const end = (): void => ended.abort(signal?.reason);
  signal?.addEventListener("abort", end, { once: true });
  if (signal?.aborted) end();
  let isSilent = false;
  const listen = (): (() => void) =>
    clock.after(silence_ms, () => {
      isSilent = true;
      ended.abort();
    });
  let stopListening = listen();
  try {
    for await (const message of open(ended.signal)) {
      stopListening();
      yield message;
      stopListening = listen();
    }
  } catch (thrown) {
    if (!isSilent) throw thrown;
    throw new UsherError("deadline_exceeded", `the stream was silent for ${silence_ms} ms`, {
      cause: thrown,
    });
  } finally {
    stopListening();
    signal?.removeEventListener("abort", end);
  }
}
