// Refusals that clients can read: problem details, RFC 9457.

import { refused } from "@usher/telemetry";
import { cut, type EdgeRequest, type EdgeResponse } from "./exchange.ts";
import { endThenLinger } from "./linger.ts";

export interface Problem {
  /** For programs: what went wrong, in snake_case, one of a closed set. */
  readonly reason: string;
  readonly status: number;
  /** For people: the same for every problem of that reason. */
  readonly title: string;
  /** For people: this one in particular, and what to do about it. Holds nothing secret. */
  readonly detail: string;
  /** Seconds after which trying again makes sense. Absent: it does not, as the request is. */
  readonly retry_after_s?: number;
  /** Further members of the document. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** All that the gateway refuses, with status and title. */
export const PROBLEMS = {
  request_malformed: [400, "The request is not HTTP as it should be"],
  tls_required: [400, "The port speaks HTTPS"],
  host_missing: [400, "The request names no host"],
  host_duplicate: [400, "The request names more than one host"],
  host_invalid: [400, "The request's host is malformed"],
  target_not_path: [400, "The request's target is not a path"],
  target_malformed: [400, "The request's target is malformed"],
  target_ambiguous: [400, "The request's target can be read as more than one path"],
  header_duplicate: [400, "A header came more than once that may come only once"],
  connection_header: [400, "The Connection header names a header that is not the connection's"],
  transfer_coding: [501, "The request's transfer coding is not known here"],
  method_refused: [501, "The request's method is not supported"],
  upgrade_refused: [501, "The connection cannot be upgraded"],
  upgrade_cannot_wait: [503, "A connection of another protocol cannot wait in a queue"],
  expectation_failed: [417, "The request's expectation cannot be met"],
  headers_too_large: [431, "The request's headers are too large"],
  body_too_large: [413, "The request's body is too large"],
  request_too_slow: [408, "The request took too long to arrive"],
  overloaded: [503, "There is no room for another request"],
  loop: [508, "The request has been here before"],
  internal: [500, "Something failed inside"],
  route_not_found: [404, "There is no route for this request"],
  not_found: [404, "There is nothing here"],
  method_not_allowed: [405, "The method is not allowed here"],
  asker_refused: [403, "Only a trusted proxy may ask this"],
  queue_not_found: [404, "There is no such queue"],
  ticket_not_found: [404, "There is no such ticket"],
  ticket_forgotten: [410, "The ticket ended and is no longer remembered"],
  ticket_left: [410, "The ticket was given up"],
  ticket_expired: [410, "The ticket waited too long"],
  queue_reset: [410, "The queue was made anew"],
  key_reused: [422, "The idempotency key was used with another request"],
  key_unknown: [404, "No ticket has the idempotency key"],
  must_wait: [429, "There is a line, and it is not this request's turn"],
  queue_full: [503, "The queue is full"],
  queue_closed: [503, "The queue takes no newcomers"],
  wait_too_long: [503, "The wait would be too long"],
  already_claimed: [409, "The request is on its way to the service"],
  not_answered: [409, "The service has not answered yet"],
  api_key_invalid: [401, "The API key is not valid"],
  log_unavailable: [503, "No tickets can be given out at present"],
  outcome_unknown: [503, "The outcome is unknown"],
  not_ready: [503, "This node is not ready"],
  behind: [503, "This node has not read far enough"],
  request_failed: [502, "The request could not be carried out"],
  request_unknown: [504, "The request may have been carried out, or not"],
  response_gone: [502, "The service's answer is gone"],
  service_unreachable: [502, "The service cannot be reached"],
  service_lost: [502, "The service broke off before it answered"],
  service_overloaded: [503, "There are as many requests at the service as there may be"],
  service_timeout: [504, "The service did not answer in time"],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemReason = keyof typeof PROBLEMS;

export function problem(reason: ProblemReason, detail: string, retry_after_s?: number): Problem {
  const [status, title] = PROBLEMS[reason];
  return { reason, status, title, detail, ...(retry_after_s !== undefined && { retry_after_s }) };
}

/** Says of a problem that it is Usher's own: its reason. A service's document may look the same; but no service sets headers
 * of this kind (forward/headers.ts). */
const OWN_HEADER = "usher-problem";

/** The document, and the headers that go with it: whoever makes it is about to send it, so it is counted here. */
export function render(problem: Problem): { readonly headers: string[]; readonly body: Buffer } {
  refused(problem);
  return documentOf(problem);
}

/** The same where nobody is refused anything: the problem is what was asked after. */
export function documentOf(problem: Problem): { readonly headers: string[]; readonly body: Buffer } {
  const { reason, status, title, detail, members } = problem;
  const document = { type: `urn:usher:problem:${reason}`, title, status, detail, ...members };
  const body = Buffer.from(`${JSON.stringify(document)}\n`);
  const headers = ["content-type", "application/problem+json", "content-length", `${body.length}`];
  headers.push("cache-control", "no-store", OWN_HEADER, reason);
  if (problem.retry_after_s !== undefined) headers.push("retry-after", `${problem.retry_after_s}`);
  return { headers, body };
}

/** Answers with a problem, in such a way that the client sees it even while it still sends its body. Where an answer
 * has begun already, or the response has been left in a state that takes none, the exchange is cut. Never throws. */
export function answerProblem(req: EdgeRequest, res: EdgeResponse, problem: Problem): void {
  if (res.headersSent) {
    if (!res.writableEnded) cut(res);
    return;
  }
  const { headers, body } = render(problem);
  try {
    endThenLinger(req, res, problem.status, headers, body);
  } catch {
    cut(res);
  }
}
