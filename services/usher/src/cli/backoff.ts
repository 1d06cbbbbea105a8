// When to try again, and whether that makes sense.

import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "@usher/protocol/error-details";

/** The first pause after a broken connection, and the longest, in milliseconds. */
const BACKOFF_MS = { first: 250, most: 10_000 } as const;

/** Errors that trying again does not mend. */
const FINAL: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.Unauthenticated,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.Unimplemented,
]);

export function isFinal(error: ConnectError): boolean {
  return FINAL.has(error.code);
}

/** Doubles from failure to failure; half of it is left to chance, so that a crowd does not come back as one. */
export function backoff_ms(failures: number, random: () => number): number {
  const full_ms = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** (failures - 1));
  return Math.round(full_ms * (0.5 + random() / 2));
}

/** What the server said about when to try again; absent where it said nothing. */
export function retryDelay_ms(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? undefined : durationMs(delay);
}
