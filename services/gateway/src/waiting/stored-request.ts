// A request as it is stored with its ticket: encrypted, whole, and with all that the service would have been given at
// once, but what the route leaves out.

import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { HeaderSchema, type StoredRequest, StoredRequestSchema } from "@usher/protocol/payload";
import { type Pair, storableHeaders } from "../forward/headers.ts";
import type { EdgeRequest } from "../listener/exchange.ts";
import type { Target } from "../listener/target.ts";
import { isIdempotent, type Route, type StoredHeaders } from "../route.ts";

export const KEY_HEADER = "idempotency-key";

/** Stored whatever the route says: what the body is read by, whom the request is for, what keeps a second sending from
 * being a second wish, which trace it belongs to; and what Usher itself says of where the request came from. */
const ALWAYS = new Set([
  ...["host", "content-type", "content-encoding", "content-language", KEY_HEADER, "te"],
  ...["traceparent", "tracestate", "via", "forwarded"],
]);

export function storedRequest(req: EdgeRequest, target: Target, route: Route, body: Buffer): StoredRequest {
  const method = req.method ?? "GET";
  const headers = storableHeaders(req)
    .filter((pair) => isStored(pair, route.stored_headers))
    .map(([name, value]) => create(HeaderSchema, { name, value: Buffer.from(value, "latin1") }));
  // So that the service can tell a second sending from a second wish.
  if (req.headers[KEY_HEADER] === undefined) {
    headers.push(create(HeaderSchema, { name: "Idempotency-Key", value: Buffer.from(randomUUID()) }));
  }
  return create(StoredRequestSchema, {
    method,
    target: target.raw,
    headers,
    body,
    service: route.service,
    timeoutMs: route.timeout_ms,
    idempotent: isIdempotent(route, method),
    responseBytes: route.response_bytes,
  });
}

function isStored([name]: Pair, wanted: StoredHeaders | undefined): boolean {
  const key = name.toLowerCase();
  if (wanted === undefined || ALWAYS.has(key) || key.startsWith("x-forwarded-")) return true;
  return "only" in wanted ? wanted.only.includes(key) : !wanted.without.includes(key);
}
