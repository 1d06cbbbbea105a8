// Every way in which a call can be refused: one code, one reason, words that say what to do.

import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "@usher/protocol/error-details";
import type { ErrorReason } from "@usher/protocol/queue";
import type { RefusedReason, RequestState } from "@usher/queue";
import { LogError } from "@usher/ticket-log";

export type Reason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

/** Each reason's status code; the contract in `queue.proto` says the same in words. */
export const CODES: Readonly<Record<Reason, Code>> = {
  INVALID_FIELD: Code.InvalidArgument,
  QUEUE_NOT_FOUND: Code.NotFound,
  TOKEN_INVALID: Code.Unauthenticated,
  QUEUE_RESET: Code.FailedPrecondition,
  TICKET_NOT_FOUND: Code.NotFound,
  KEY_REUSED: Code.AlreadyExists,
  KEY_TOO_SHORT: Code.InvalidArgument,
  QUEUE_FULL: Code.ResourceExhausted,
  QUEUE_CLOSED: Code.FailedPrecondition,
  ALREADY_CLAIMED: Code.FailedPrecondition,
  NOT_ADMITTED: Code.FailedPrecondition,
  API_KEY_REQUIRED: Code.Unauthenticated,
  LOG_UNAVAILABLE: Code.Unavailable,
  OUTCOME_UNKNOWN: Code.Unavailable,
  OVERLOADED: Code.ResourceExhausted,
  NOT_READY: Code.Unavailable,
  BEHIND: Code.Unavailable,
  ETAG_MISMATCH: Code.Aborted,
  INTERNAL: Code.Internal,
  NOT_FAILED: Code.FailedPrecondition,
  NO_ROOM: Code.ResourceExhausted,
  NOT_IMPLEMENTED: Code.Unimplemented,
  TOO_LARGE: Code.ResourceExhausted,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
};

/** When to try again, in ms, where trying again makes sense. */
const RETRY_MS: Partial<Record<Reason, number>> = {
  QUEUE_FULL: 10_000,
  LOG_UNAVAILABLE: 1_000,
  OUTCOME_UNKNOWN: 1_000,
  OVERLOADED: 1_000,
  NOT_READY: 1_000,
  BEHIND: 200,
  NO_ROOM: 1_000,
  DEADLINE_EXCEEDED: 1_000,
};

/** The domain of `ErrorInfo`. */
export const ERROR_DOMAIN = "usher";

type OutgoingDetail = NonNullable<ConstructorParameters<typeof ConnectError>[3]>[number];

/** A refusal. Its `code`, its `reason` and whether to retry go out with it; so does nothing else. */
export class UsherError extends ConnectError {
  readonly reason: Reason;
  /** How long to wait before trying again, in ms; absent where that makes no sense. */
  readonly retry_ms: number | undefined;

  constructor(
    reason: Reason,
    message: string,
    metadata: Readonly<Record<string, string>> = {},
    cause?: unknown,
  ) {
    const retry_ms = RETRY_MS[reason];
    const info = { reason, domain: ERROR_DOMAIN, metadata: { ...metadata } };
    const details: OutgoingDetail[] = [{ desc: ErrorInfoSchema, value: info }];
    if (retry_ms !== undefined) {
      details.push({ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(retry_ms) } });
    }
    super(message, CODES[reason], undefined, details, cause);
    this.reason = reason;
    this.retry_ms = retry_ms;
  }

  /** ConnectError recognises any error that has its shape; this one is recognised by its reason too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof ConnectError && "reason" in value;
  }

  /** What any error means to a caller. What is none of ours is INTERNAL, and tells nothing of the inside. */
  static of(error: unknown): ConnectError {
    if (error instanceof ConnectError) return error;
    if (error instanceof LogError) return ofLog(error);
    return new UsherError("INTERNAL", "Something failed inside Usher; its log says what.", {}, error);
  }
}

/** The refusal that the fold told. */
export function refusal(reason: RefusedReason, queue: string): UsherError {
  switch (reason) {
    case "no_queue":
      return new UsherError("QUEUE_NOT_FOUND", `There is no queue "${queue}".`, { queue });
    case "closed":
      return new UsherError("QUEUE_CLOSED", `The queue "${queue}" takes no newcomers.`, { queue });
    case "full":
      return new UsherError("QUEUE_FULL", `The queue "${queue}" holds as many tickets as it may.`, { queue });
    case "key_reused":
      return new UsherError("KEY_REUSED", "The key was used with another request; use a new one.", { queue });
    case "claimed":
      return new UsherError("ALREADY_CLAIMED", "The stored request is being sent and cannot be taken back.", {
        queue,
      });
    case "not_admitted":
      return new UsherError(
        "NOT_ADMITTED",
        "The ticket waits, or has ended; only an admitted one can be completed or go on.",
        {
          queue,
        },
      );
    case "stored_request":
      return new UsherError(
        "NOT_ADMITTED",
        "The ticket carries a stored request, which ends with its answer.",
        { queue },
      );
    case "unknown_ticket":
      return new UsherError("TICKET_NOT_FOUND", "There is no such ticket, or no longer.", { queue });
    case "not_failed":
      return new UsherError("NOT_FAILED", "The ticket has no stored request that failed.", { queue });
    case "no_room":
      return new UsherError("NO_ROOM", `The queue "${queue}" has no free slot; try again.`, { queue });
  }
}

/** Why a request is not taken up again, by how it stands; undefined: the ticket has none. */
const NOT_FAILED: Readonly<Record<Exclude<RequestState, "failed">, string>> = {
  unknown: "Its outcome is unknown: it may have been carried out. Ask the service; it is not sent again.",
  answered: "The service has answered it.",
  stored: "It has not failed: it waits to be sent.",
  sending: "It has not failed: it is being sent.",
};

/** The refusal to take up a request that has not failed. */
export function notFailed(request: RequestState | undefined, queue: string): UsherError {
  if (request === undefined || request === "failed") return refusal("not_failed", queue);
  return new UsherError("NOT_FAILED", NOT_FAILED[request], { queue, request_state: request });
}

function ofLog(error: LogError): UsherError {
  if (error.outcome === "unknown") {
    return new UsherError(
      "OUTCOME_UNKNOWN",
      "It may have happened, or not; the same key or id will tell.",
      {},
      error,
    );
  }
  if (error.code === "overloaded")
    return new UsherError("OVERLOADED", "This node is busy writing.", {}, error);
  if (error.code === "too_large")
    return new UsherError("INVALID_FIELD", "The request is too large.", {}, error);
  if (error.code === "closed") return new UsherError("NOT_READY", "This node is shutting down.", {}, error);
  return new UsherError("LOG_UNAVAILABLE", `The log takes no records now (${error.code}).`, {}, error);
}
