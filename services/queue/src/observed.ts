// What whoever watches the listener is told of its calls.

import type { IncomingHttpHeaders } from "node:http2";

export interface ObservedCall {
  /** Runs what answers the call; absent: that is run as it is. */
  readonly within?: <T>(work: () => T) => T;
  /** It is over, with this status: gRPC's CANCELLED where its client left before. */
  ended(code: number): void;
}

/** A call begins: of a method, such as `usher.queue.v1.QueueService/Issue`; absent: of none that is there. Returns
 * nothing for a call that is not watched. */
export type ObserveCall = (
  method: string | undefined,
  headers: IncomingHttpHeaders,
) => ObservedCall | undefined;
