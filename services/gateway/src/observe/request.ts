// A request as metrics and traces see it, from the door to the end of its answer. The rest of the gateway calls these in
// a line each, and works the same without.
//
//   request.ts    from the door to the answer      call.ts      on to a service
//   decision.ts   who goes straight through        ticket.ts    what happens later, in the same trace
//   rpc.ts        RPCs, and how they end

import {
  type Attributes,
  context,
  defaultTextMapGetter,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
} from "@opentelemetry/api";
import { count, fail, isTracing, TRACER } from "@usher/telemetry";
import { type EdgeRequest, type EdgeResponse, isHttp1, wasCut } from "../listener/exchange.ts";
import type { Route } from "../route.ts";
import { endCall, isRpc, namesOf } from "./rpc.ts";

/** Methods by name; what else a client thinks of is `_OTHER`, as the semantic conventions have it. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Usher's own paths, without what clients put into them: a path may hold a token. */
const OWN = [
  [/^\/_usher\/tickets\/[^/]+$/, "/_usher/tickets/{token}"],
  [/^\/_usher\/tickets\/[^/]+\/response$/, "/_usher/tickets/{token}/response"],
  [/^\/_usher\/requests$/, "/_usher/requests"],
  [/^\/_usher\/check$/, "/_usher/check"],
  [/^\/_usher\/jwks\.json$/, "/_usher/jwks.json"],
  [/^\/_usher\//, "/_usher/*"],
] as const;

/** Asked every few seconds by whoever looks after the node: neither counted nor traced. */
const PROBES = new Set(["/livez", "/readyz"]);

/** Responses whose connection goes on in another protocol: Node knows of no answer, since none is written to them. */
const switched = new WeakSet<EdgeResponse>();

/** The client has been told 101. */
export function observeSwitch(res: EdgeResponse): void {
  switched.add(res);
}

/** Handles a request, and tells how it was answered. */
export function observeRequest<T>(req: EdgeRequest, res: EdgeResponse, path: string, handle: () => T): T {
  if (PROBES.has(path)) return handle();
  const span = isTracing() ? startSpan(req, path) : undefined;
  res.once("close", () => {
    const status = statusOf(res);
    count("usher.gateway.answers", [status === undefined ? "gone" : `${Math.floor(status / 100)}xx`]);
    endCall(req, res, span);
    if (span !== undefined) end(span, res);
  });
  return span === undefined ? handle() : context.with(trace.setSpan(parentOf(req), span), handle);
}

/** The request is for a route. */
export function observeRoute(req: EdgeRequest, { path, queue = "none" }: Route): void {
  count("usher.gateway.arrivals", [queue]);
  if (!isTracing()) return;
  const span = trace.getActiveSpan();
  span?.updateName(`${methodOf(req)} ${path}`);
  span?.setAttribute("http.route", path);
}

function startSpan(req: EdgeRequest, path: string): Span {
  const method = methodOf(req);
  const { name, attributes } = identify(req, path, method);
  const version = req.httpVersionMajor === 2 ? "2" : req.httpVersion;
  return trace.getTracer(TRACER).startSpan(
    name,
    {
      kind: SpanKind.SERVER,
      attributes: {
        "http.request.method": method,
        "network.protocol.version": version,
        ...attributes,
      },
    },
    parentOf(req),
  );
}

function identify(req: EdgeRequest, path: string, method: string): { name: string; attributes: Attributes } {
  if (isRpc(path)) return namesOf(req, path);
  const own = OWN.find(([pattern]) => pattern.test(path))?.[1];
  if (own === undefined) return { name: method, attributes: {} };
  return { name: `${method} ${own}`, attributes: { "http.route": own } };
}

/** What the caller's headers say, by the propagators that the operator chose. */
function parentOf(req: EdgeRequest) {
  return propagation.extract(ROOT_CONTEXT, req.headers, defaultTextMapGetter);
}

function methodOf({ method = "" }: EdgeRequest): string {
  return METHODS.has(method) ? method : "_OTHER";
}

/** Absent where the client left before it was answered. */
function statusOf(res: EdgeResponse): number | undefined {
  if (switched.has(res)) return 101;
  return res.headersSent ? res.statusCode : undefined;
}

function end(span: Span, res: EdgeResponse): void {
  const status = statusOf(res);
  if (status === undefined) {
    fail(span, "client_gone");
  } else {
    span.setAttribute("http.response.status_code", status);
    if (status >= 500) fail(span, `${status}`);
    else if (wasCut(res)) fail(span, "cut");
    else if (status !== 101 && isHttp1(res) && !res.writableFinished) fail(span, "client_gone");
  }
  span.end();
}
