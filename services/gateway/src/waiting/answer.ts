// What a ticket's holder is answered over HTTP: the Status while it waits, the service's own answer at the end, or
// honestly what became of the request.

import { type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import type { StoredResponse } from "@usher/protocol/payload";
import { StatusSchema } from "@usher/protocol/queue";
import type { Place, Replica } from "@usher/replica";
import { retryAfter_ms } from "@usher/replica";
import type { Requests } from "../dispatch/requests.ts";
import type { EdgeRequest, EdgeResponse } from "../listener/exchange.ts";
import { answerProblem, type Problem, type ProblemReason, problem } from "../listener/problem.ts";
import { respond } from "../listener/respond.ts";
import { observeCollection, observeHolder } from "../observe/ticket.ts";

/** Under this prefix, Usher itself answers. */
export const PREFIX = "/_usher/";

/** Where a ticket is found: below the public URL where there is one, else below whatever origin the client used. */
export function ticketLocation(token: string, public_url = ""): string {
  return `${public_url}${PREFIX}tickets/${token}`;
}

/** How a ticket ended that has something to answer with; absent while it waits or is served, and when a backend
 * completed it. */
export type End = "answered" | "failed" | "unknown" | "left" | "expired";

export function endOf({ view }: Place): End | undefined {
  if (view.state === "left" || view.state === "expired") return view.state;
  if (view.state !== "completed") return undefined;
  return view.request === "answered" || view.request === "failed" || view.request === "unknown"
    ? view.request
    : undefined;
}

/** What the holder may know, as JSON. */
export function statusJson(replica: Replica, place: Place): JsonObject {
  const status = toJson(StatusSchema, replica.desk.status(place));
  return isObject(status) ? status : {};
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Tells the holder where the ticket stands: 202 where it is the answer to the request, 200 where it was asked for. */
export function answerStatus(
  replica: Replica,
  res: EdgeResponse,
  place: Place,
  how: { status: 200 | 202; location?: string; headers?: Readonly<Record<string, string>> },
): void {
  observeHolder(place);
  const body = Buffer.from(`${JSON.stringify(statusJson(replica, place))}\n`);
  const retry_ms = retryAfter_ms(place.queue, place.view);
  const headers = {
    "content-type": "application/json",
    "content-length": `${body.length}`,
    "cache-control": "no-store",
    "usher-ticket": `${place.view.number}`,
    ...(how.location !== undefined && { location: how.location }),
    ...(retry_ms !== undefined && { "retry-after": `${Math.ceil(retry_ms / 1000)}` }),
    ...how.headers,
  };
  respond(res, how.status, Object.entries(headers), body);
}

/** Answers with the end of a stored request: the service's answer, or a problem. */
export async function answerEnd(
  requests: Requests,
  req: EdgeRequest,
  res: EdgeResponse,
  place: Place,
): Promise<void> {
  observeHolder(place);
  const { view } = place;
  const end = endOf(place);
  if (end !== "answered") {
    answerProblem(req, res, endProblem(place, end));
    return;
  }
  await observeCollection(place, end, async () => {
    const response = await requests.readResponse(view.origin, view.attempt);
    if (response === undefined) answerProblem(req, res, gone(place));
    else writeResponse(req, res, view.number, response);
  });
}

/** The service's answer as it came, marked with the ticket that waited for it. */
function writeResponse(req: EdgeRequest, res: EdgeResponse, number: number, response: StoredResponse): void {
  const headers = new Map<string, string[]>();
  for (const { name, value } of response.headers) {
    const key = name.toLowerCase();
    headers.set(key, [...(headers.get(key) ?? []), Buffer.from(value).toString("latin1")]);
  }
  headers.set("cache-control", ["no-store"]).set("usher-ticket", [`${number}`]);
  // An answer without a body may still tell the length that one would have had.
  const bodiless = req.method === "HEAD" || response.status === 204 || response.status === 304;
  if (!bodiless) headers.set("content-length", [`${response.body.length}`]);
  respond(res, response.status, headers, bodiless ? undefined : response.body);
}

/** What to say of a ticket that has no answer of the service. */
function endProblem({ view, queue }: Place, end: Exclude<End, "answered"> | undefined): Problem {
  const [reason, detail] = end === undefined ? NOT_ANSWERED : ENDS[end];
  return { ...problem(reason, detail), members: { ticket: view.number, queue: queue.name } };
}

const NOT_ANSWERED = ["not_answered", "look at the ticket until it leads here"] as const;

const ENDS = {
  unknown: [
    "request_unknown",
    "it was sent to the service, and no answer came back; ask the service, or look here again later",
  ],
  failed: ["request_failed", "the service refused it or could not be reached; it was not carried out"],
  left: ["ticket_left", "the request was taken back before it was sent"],
  expired: ["ticket_expired", "the request waited longer than the queue allows, and was not sent"],
} as const satisfies Record<Exclude<End, "answered">, readonly [ProblemReason, string]>;

function gone({ view, queue }: Place): Problem {
  return {
    ...problem("response_gone", "the service answered, and its answer is kept no longer"),
    members: { ticket: view.number, queue: queue.name, status: view.status },
  };
}
