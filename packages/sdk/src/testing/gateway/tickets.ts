// `/_usher/tickets/{token}`: a ticket as a resource. GET tells where it stands, once or as a stream of events (HTML, 9.2),
// and leads to the answer; DELETE gives it up.

import type { Place, TestNode } from "../node.ts";
import { worthTelling } from "../rpc.ts";
import { problem, statusAnswer, statusJson, ticketLocation } from "./answers.ts";
import type { StoredRequests } from "./requests.ts";

const PREFIX = "/_usher/";
const RESOURCE = /^\/_usher\/tickets\/([^/]+)(\/response)?$/;

/** Within this time, in ms, those come back whose stream broke off; they spread over it. */
const RETRY_MS = 2_000;

export function isTicket({ url }: Request): boolean {
  return new URL(url).pathname.startsWith(PREFIX);
}

export function answerTicket(node: TestNode, requests: StoredRequests, request: Request): Response {
  const { pathname, searchParams } = new URL(request.url);
  const [, token, isResponse] = RESOURCE.exec(pathname) ?? [];
  if (token === undefined)
    return problem("not_found", "there is a ticket under tickets/{token}, and nothing else");
  const asOf = searchParams.get("as_of") ?? "";
  const place = node.held(token, /^\d{1,15}$/.test(asOf) ? Number(asOf) : 0);
  const answer = answerOf(node, requests, request, place, isResponse !== undefined);
  const key = requests.keyOf(place);
  // By it, the service can be asked what became of the request.
  if (key !== undefined && place.view.request !== undefined) answer.headers.set("usher-idempotency-key", key);
  return answer;
}

function answerOf(
  node: TestNode,
  requests: StoredRequests,
  request: Request,
  place: Place,
  isResponse: boolean,
): Response {
  const { method } = request;
  if (method === "DELETE" && !isResponse) {
    node.append({ kind: "ticket_left", queue: place.queue.name, number: place.view.number });
    return statusAnswer(node, node.again(place), 200);
  }
  if (method !== "GET") {
    const refusal = problem("method_not_allowed", "read it with GET, or give it up with DELETE");
    refusal.headers.set("allow", isResponse ? "GET, HEAD" : "GET, HEAD, DELETE");
    return refusal;
  }
  if (isResponse) return answerEnd(requests, place);
  if (request.headers.get("accept")?.includes("text/event-stream"))
    return events(node, place, request.signal);
  const end = endOf(place);
  if (end === undefined) return statusAnswer(node, place, 200);
  if (end !== "answered") return answerEnd(requests, place);
  const location = `${ticketLocation(node, place)}/response`;
  return new Response(null, { status: 303, headers: { location, "cache-control": "no-store" } });
}

/** The end of a stored request: the service's answer, or a problem. */
export function answerEnd(requests: StoredRequests, place: Place): Response {
  const { queue, view } = place;
  const members = { ticket: view.number, queue: queue.name };
  const end = endOf(place);
  const answer = end === "answered" ? requests.answerTo(place) : undefined;
  if (answer === undefined) {
    const [reason, detail] = ENDS[end === undefined || end === "answered" ? "waiting" : end];
    return problem(reason, detail, members);
  }
  answer.headers.set("cache-control", "no-store");
  answer.headers.set("usher-ticket", `${view.number}`);
  return answer;
}

const ENDS = {
  waiting: ["not_answered", "look at the ticket until it leads here"],
  unknown: [
    "request_unknown",
    "it was sent to the service, and no answer came back; ask the service, or look here again later",
  ],
  failed: ["request_failed", "the service refused it or could not be reached; it was not carried out"],
  left: ["ticket_left", "the request was taken back before it was sent"],
  expired: ["ticket_expired", "the request waited longer than the queue allows, and was not sent"],
} as const;

/** Absent while it waits or is served, and where a backend completed it. */
function endOf({ view }: Place): "answered" | "failed" | "unknown" | "left" | "expired" | undefined {
  if (view.state === "left" || view.state === "expired") return view.state;
  if (view.state !== "completed") return undefined;
  const { request } = view;
  return request === "answered" || request === "failed" || request === "unknown" ? request : undefined;
}

function events(node: TestNode, place: Place, signal: AbortSignal): Response {
  const gone = new AbortController();
  const texts = eventTexts(node, place, AbortSignal.any([signal, gone.signal]));
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await texts.next();
          if (done) controller.close();
          else controller.enqueue(encoder.encode(value));
        } catch (error) {
          controller.error(signal.aborted ? signal.reason : new TypeError("terminated", { cause: error }));
        }
      },
      cancel: () => gone.abort(),
    },
    // Nothing is told ahead: what is slow to ask misses what lay between.
    { highWaterMark: 0 },
  );
  const headers = { "content-type": "text/event-stream", "cache-control": "no-store", vary: "Accept" };
  return new Response(body, { headers });
}

async function* eventTexts(node: TestNode, from: Place, signal: AbortSignal): AsyncGenerator<string, void> {
  const stream = node.streams.open(signal);
  try {
    let place = from;
    let retry = `retry: ${RETRY_MS}\n`;
    let same: string | undefined;
    for (;;) {
      const told = worthTelling(place);
      const status = statusJson(node.status(place));
      const text = JSON.stringify({ ...status, asOf: undefined, retryAfter: undefined });
      const hasEnded = place.view.position === undefined;
      const id = hasEnded ? "end" : status.asOf;
      yield text === same ? ": still here\n\n" : `${retry}id: ${id}\ndata: ${JSON.stringify(status)}\n\n`;
      [retry, same] = ["", text];
      if (hasEnded) return;
      await stream.news(() => worthTelling(node.again(place)) !== told);
      place = node.again(place);
    }
  } finally {
    stream.close();
  }
}
