// What the reducer's refusals mean to a caller, in the server's words.

import type { RefusedReason } from "@usher/queue";
import { type ErrorCode, type ServerErrorCode, UsherError } from "../errors.ts";

/** How long the server wants to be left alone, in ms, where it says so. */
const RETRY_AFTER_MS: Readonly<Partial<Record<ErrorCode, number>>> = {
  queue_full: 10_000,
  log_unavailable: 1_000,
  outcome_unknown: 1_000,
  overloaded: 1_000,
  not_ready: 1_000,
  behind: 200,
  no_room: 1_000,
};

const REFUSALS: Readonly<
  Record<RefusedReason, readonly [code: ServerErrorCode, message: (queue: string) => string]>
> = {
  no_queue: ["queue_not_found", (queue) => `There is no queue "${queue}".`],
  closed: ["queue_closed", (queue) => `The queue "${queue}" takes no newcomers.`],
  full: ["queue_full", (queue) => `The queue "${queue}" holds as many tickets as it may.`],
  key_reused: ["key_reused", () => "The key was used with another request; use a new one."],
  claimed: ["already_claimed", () => "The stored request is being sent and cannot be taken back."],
  not_admitted: [
    "not_admitted",
    () => "The ticket waits, or has ended; only an admitted one can be completed or go on.",
  ],
  stored_request: ["not_admitted", () => "The ticket carries a stored request, which ends with its answer."],
  unknown_ticket: ["ticket_not_found", () => "There is no such ticket, or no longer."],
  not_failed: ["not_failed", () => "The ticket has no stored request that failed."],
  no_room: ["no_room", (queue) => `The queue "${queue}" has no free slot; try again.`],
};

/** An error as the server tells it. */
export function told(code: ErrorCode, message: string, retryAfter = RETRY_AFTER_MS[code]): UsherError {
  return new UsherError(code, message, { retryAfter });
}

export function refusal(reason: RefusedReason, queue: string): UsherError {
  const [code, message] = REFUSALS[reason];
  return told(code, message(queue));
}
