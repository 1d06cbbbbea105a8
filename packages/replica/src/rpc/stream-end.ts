// How a stream ends that is not at its end: said, so that its client knows to go on.

import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

/** Within this time, in ms, the clients of a node that shuts down come back, each at a random moment. */
const RECONNECT_WITHIN_MS = 2_000;

/** A stream that its client's deadline cuts off has not come to its end. */
export function mustGoOn(signal: AbortSignal): void {
  if (signal.aborted) throw ConnectError.from(signal.reason, Code.Canceled);
}

/** When to open it anew, from a node that shuts down. */
export function reconnectAfter(): Duration {
  return durationFromMs(Math.floor(Math.random() * RECONNECT_WITHIN_MS));
}
