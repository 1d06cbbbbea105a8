// `GET /_usher/requests`: whether a request whose answer was lost is kept, and where.

import { createHash } from "node:crypto";
import type { Place, TestNode } from "../node.ts";
import { problem, statusAnswer, ticketLocation } from "./answers.ts";
import type { StoredRequests } from "./requests.ts";

const PATH = "/_usher/requests";

/** The request that is asked after: its method, its target, and its body's SHA-256, in hex. */
const ASKED = /^(\S+) (\S+) ([0-9a-f]{64})$/;

export function asksKept({ url }: Request): boolean {
  return new URL(url).pathname === PATH;
}

/** `place`: of the ticket that has the key; absent where none has it. */
export async function answerKept(
  node: TestNode,
  requests: StoredRequests,
  { headers }: Request,
  place: Place | undefined,
): Promise<Response> {
  const asked = headers.get("usher-request") ?? "";
  if (!ASKED.test(asked))
    return problem("request_malformed", "say which request is meant: Usher-Request: METHOD /target sha-256");
  const stored = place && requests.requestOf(place);
  if (place === undefined || stored === undefined)
    return problem("key_unknown", "no ticket has this request's Idempotency-Key");
  const { pathname, search } = new URL(stored.url);
  const digest = createHash("sha256")
    .update(new Uint8Array(await stored.arrayBuffer()))
    .digest("hex");
  if (asked !== `${stored.method} ${pathname}${search} ${digest}`)
    return problem("key_reused", "the ticket that has the Idempotency-Key is another request's");
  const key = requests.keyOf(place) ?? "";
  return statusAnswer(node, place, 202, {
    location: ticketLocation(node, place),
    "usher-idempotency-key": key,
  });
}
