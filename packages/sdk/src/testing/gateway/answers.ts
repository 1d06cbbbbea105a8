// What the gateway says itself: where a ticket stands, and problems (RFC 9457).

import type { StatusJson, TicketStateJson } from "@usher/protocol/queue";
import type { ErrorCode, UsherError } from "../../errors.ts";
import type { Status } from "../../status.ts";
import type { Place, TestNode } from "../node.ts";

/** All that is said here, with status and title. */
const PROBLEMS = {
  request_malformed: [400, "The request is not HTTP as it should be"],
  not_found: [404, "There is nothing here"],
  method_not_allowed: [405, "The method is not allowed here"],
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
  already_claimed: [409, "The request is on its way to the service"],
  not_answered: [409, "The service has not answered yet"],
  log_unavailable: [503, "No tickets can be given out at present"],
  outcome_unknown: [503, "The outcome is unknown"],
  overloaded: [503, "There is no room for another request"],
  not_ready: [503, "This node is not ready"],
  behind: [503, "This node has not read far enough"],
  internal: [500, "Something failed inside"],
  request_failed: [502, "The request could not be carried out"],
  request_unknown: [504, "The request may have been carried out, or not"],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemReason = keyof typeof PROBLEMS;

/** What refusals of the queue are over HTTP, where they have another name there. */
const RENAMED: Readonly<Partial<Record<ErrorCode, ProblemReason>>> = {
  invalid_field: "request_malformed",
  key_too_short: "request_malformed",
  token_invalid: "ticket_not_found",
  ticket_not_found: "ticket_forgotten",
  not_admitted: "already_claimed",
};

const STATES: Readonly<Record<Status["state"], TicketStateJson>> = {
  waiting: "TICKET_STATE_WAITING",
  admitted: "TICKET_STATE_ADMITTED",
  completed: "TICKET_STATE_COMPLETED",
  left: "TICKET_STATE_LEFT",
  expired: "TICKET_STATE_EXPIRED",
  other: "TICKET_STATE_UNSPECIFIED",
};

const REQUESTS = {
  stored: "REQUEST_STATE_STORED",
  sending: "REQUEST_STATE_SENDING",
  answered: "REQUEST_STATE_ANSWERED",
  failed: "REQUEST_STATE_FAILED",
  unknown: "REQUEST_STATE_UNKNOWN",
  other: "REQUEST_STATE_UNSPECIFIED",
} as const;

/** `retryAfter`: in ms. */
export function problem(
  reason: ProblemReason,
  detail: string,
  members: Readonly<Record<string, unknown>> = {},
  retryAfter?: number,
): Response {
  const [status, title] = PROBLEMS[reason];
  const document = { type: `urn:usher:problem:${reason}`, title, status, detail, ...members };
  return new Response(`${JSON.stringify(document)}\n`, {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "usher-problem": reason,
      ...retryHeader(retryAfter),
    },
  });
}

/** The problem that a refusal is; absent where it is no answer of a gateway. */
export function problemOf({ code, message, retryAfter }: UsherError): Response | undefined {
  const reason = RENAMED[code] ?? (code in PROBLEMS ? (code as ProblemReason) : undefined);
  return reason && problem(reason, message, {}, retryAfter);
}

export function ticketLocation(node: TestNode, place: Place): string {
  return `/_usher/tickets/${node.token(place)}`;
}

/** Where the ticket stands: 202 where it is the answer to the request, 200 where it was asked for. */
export function statusAnswer(
  node: TestNode,
  place: Place,
  status: 200 | 202,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const told = node.status(place);
  return new Response(`${JSON.stringify(statusJson(told))}\n`, {
    status,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "usher-ticket": `${place.view.number}`,
      ...retryHeader(told.retryAfter),
      ...headers,
    },
  });
}

/** 429, with all that the holder may know. */
export function waitingAnswer(node: TestNode, place: Place): Response {
  const status = node.status(place);
  const { number, position = 0, retryAfter } = { ...status };
  const detail = `it was not passed on: place ${position} in the line is kept under number ${number}; ask at ticket_url`;
  const ticket_url = ticketLocation(node, place);
  const answer = problem("must_wait", detail, { ...statusJson(status), ticket_url }, retryAfter);
  answer.headers.set("usher-ticket", `${number}`);
  answer.headers.set("location", ticket_url);
  return answer;
}

/** A status in the contract's JSON. */
export function statusJson(status: Status): StatusJson {
  const { id, queue, number, state, requestState, position, waitP50, waitP90, ...rest } = status;
  const { issuedAt, admittedAt, endedAt, pass, stale, notice, retryAfter, asOf } = rest;
  return {
    ticket: {
      ...{ id, queue, number, state: STATES[state] },
      ...(requestState !== undefined && { requestState: REQUESTS[requestState] }),
      ...(position !== undefined && { position }),
      ...(waitP50 !== undefined && { waitP50: seconds(waitP50) }),
      ...(waitP90 !== undefined && { waitP90: seconds(waitP90) }),
      ...(issuedAt && { issuedAt: issuedAt.toISOString() }),
      ...(admittedAt && { admittedAt: admittedAt.toISOString() }),
      ...(endedAt && { endedAt: endedAt.toISOString() }),
    },
    ...(pass !== undefined && { pass }),
    ...(stale && { stale }),
    ...(notice !== undefined && { notice }),
    ...(retryAfter !== undefined && { retryAfter: seconds(retryAfter) }),
    asOf,
  };
}

function retryHeader(retryAfter: number | undefined): { readonly "retry-after"?: string } {
  return retryAfter === undefined ? {} : { "retry-after": `${Math.ceil(retryAfter / 1_000)}` };
}

/** JSON's durations: `1.500s`. */
function seconds(ms: number): string {
  return `${ms / 1_000}s`;
}
