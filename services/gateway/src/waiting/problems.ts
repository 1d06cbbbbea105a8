// What waiting adds to the problems of the listener.

import { UsherError } from "@usher/replica";
import { type Problem, type ProblemReason, problem } from "../listener/problem.ts";

type Reason = UsherError["reason"];

/** What each refusal of the queue is over HTTP. */
const REASONS: Readonly<Record<Reason, ProblemReason>> = {
  INVALID_FIELD: "request_malformed",
  QUEUE_NOT_FOUND: "queue_not_found",
  TOKEN_INVALID: "ticket_not_found",
  QUEUE_RESET: "queue_reset",
  TICKET_NOT_FOUND: "ticket_forgotten",
  KEY_REUSED: "key_reused",
  KEY_TOO_SHORT: "request_malformed",
  QUEUE_FULL: "queue_full",
  QUEUE_CLOSED: "queue_closed",
  ALREADY_CLAIMED: "already_claimed",
  NOT_ADMITTED: "already_claimed",
  API_KEY_REQUIRED: "api_key_invalid",
  LOG_UNAVAILABLE: "log_unavailable",
  OUTCOME_UNKNOWN: "outcome_unknown",
  OVERLOADED: "overloaded",
  NOT_READY: "not_ready",
  BEHIND: "behind",
  ETAG_MISMATCH: "internal",
  INTERNAL: "internal",
  NOT_FAILED: "internal",
  NO_ROOM: "internal",
  NOT_IMPLEMENTED: "internal",
  TOO_LARGE: "internal",
  DEADLINE_EXCEEDED: "internal",
};

/** It could not be told from another, and brings nothing to come back with: each would take a place of its own. */
export const PREFLIGHT_CANNOT_WAIT = problem(
  "must_wait",
  "a preflight has no place in a line: allow its origin (allowed_origins), or give OPTIONS a route without a queue",
);

/** Another site's page had the browser send it: no cookies came along, none may be set, and nobody reads the answer. */
export const FOREIGN_CANNOT_WAIT = problem(
  "must_wait",
  "a page of another site asked, with nothing that tells who for, so that nobody could come back for a place: open the address itself, or allow the page's origin (allowed_origins), or bring a secret of your own (Usher-Visitor, Idempotency-Key)",
);

/** When it may be tried again, in seconds; 5: somebody else has to go first. */
const UPGRADE_RETRY_S = 5;

/** It cannot be stored. */
export const UPGRADE_CANNOT_WAIT = problem(
  "upgrade_cannot_wait",
  "there is no room for it now; try again",
  UPGRADE_RETRY_S,
);

/** The problem that an error is to the client. Absent: it is none of the queue's refusals. */
export function problemOf(error: unknown): Problem | undefined {
  const explained = UsherError.of(error);
  if (!(explained instanceof UsherError) || explained.reason === "INTERNAL") return undefined;
  const retry_s = explained.retry_ms === undefined ? undefined : Math.ceil(explained.retry_ms / 1000);
  return problem(REASONS[explained.reason], explained.rawMessage, retry_s);
}
