// What a ticket's holder is answered over HTTP: the Status while it waits, the service's own answer at the end, or
// honestly what became of the request.

import { type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import type { StoredResponse } from "@usher/protocol/payload";
import { StatusSchema } from "@usher/protocol/queue";
import type { Place, Replica } from "@usher/replica";
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

/** A duration as JSON has it: `1.500s`. */
function seconds(duration: JsonValue | undefined): number | undefined {
  const [, number] = /^(\d+(?:\.\d+)?)s$/.exec(`${duration}`) ?? [];
  return number === undefined ? undefined : Number(number);
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Tells the key that the service is given with a stored request: by it, the service can be asked what became of the
 * request, when nobody else knows. Of one that was taken back or expired the service knows nothing. `key`: where it is
 * not at hand, it is looked for. */
export async function tellKey(
  requests: Requests,
  res: EdgeResponse,
  place: Place,
  key?: string,
): Promise<void> {
  if (place.view.request === undefined) return;
  const told = key ?? (await findKey(requests, place));
  if (told !== undefined) res.setHeader("usher-idempotency-key", told);
}

/** While a ticket waits, it is answered from memory. At its end the store is read; where that fails, the end is worth
 * telling all the same. */
async function findKey(requests: Requests, place: Place): Promise<string | undefined> {
  const { origin } = place.view;
  if (endOf(place) === undefined) return requests.knownKey(origin);
  try {
    return await requests.keyOf(origin);
  } catch {
    return undefined;
  }
}

/** Tells the holder where the ticket stands: 202 where it is the answer to the request, 200 where it was asked for. */
export function answerStatus(
  replica: Replica,
  res: EdgeResponse,
  place: Place,
  how: { status: 200 | 202; location?: string; headers?: Readonly<Record<string, string>> },
): void {
  observeHolder(place);
  const status = statusJson(replica, place);
  const body = Buffer.from(`${JSON.stringify(status)}\n`);
  const retry_s = seconds(status.retryAfter);
  const headers = {
    "content-type": "application/json",
    "content-length": `${body.length}`,
    "cache-control": "no-store",
    "usher-ticket": `${place.view.number}`,
    ...(how.location !== undefined && { location: how.location }),
    ...(retry_s !== undefined && { "retry-after": `${Math.ceil(retry_s)}` }),
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
    const last = end === "failed" ? await requests.readResponse(view.origin, view.attempt) : undefined;
    answerProblem(req, res, endProblem(place, end, last?.status));
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

/** What to say of a ticket that has no answer of the service. `last`: with what it refused the request the last time. */
function endProblem(
  { view, queue }: Place,
  end: Exclude<End, "answered"> | undefined,
  last: number | undefined,
): Problem {
  const [reason, detail] = end === undefined ? NOT_ANSWERED : ENDS[end];
  const members = { ticket: view.number, queue: queue.name };
  if (end !== "failed" || view.attempt === 0) return { ...problem(reason, detail), members };
  const times = `after ${view.attempt} ${view.attempt === 1 ? "attempt" : "attempts"}`;
  const said =
    last === undefined
      ? "the service could not be reached the last time, or the stored request not be read"
      : `the service refused it the last time with ${last}`;
  return {
    ...problem(reason, `${times}, ${said}; it was not carried out`),
    members: { ...members, attempts: view.attempt, ...(last !== undefined && { lastStatus: last }) },
  };
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
