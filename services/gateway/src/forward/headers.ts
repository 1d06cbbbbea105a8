// What headers become on their way: those of one connection stay behind, those that say where a request came from are
// set here, and Usher's own never pass from one side to the other.

import { clientOf } from "../listener/client.ts";
import { setsOwn, withoutOwn } from "../listener/cookies.ts";
import { connectionOptions, isEndToEnd, VIA_NAME } from "../listener/door.ts";
import { authorityOf, type EdgeRequest, type EdgeResponse, type Lines } from "../listener/exchange.ts";
import { writeForwarded } from "../listener/forwarded.ts";

export type Pair = readonly [name: string, value: string];

/** Of the connection alone, RFC 9110, 7.6.1, and what older clients treat so. `Trailer` and `Expect` are answered
 * here: trailers of requests are not passed on, and the body is called for by Usher. */
const HOP_BY_HOP = new Set([
  ...[
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "expect",
  ],
]);

/** What is written anew, from what of it is believed; and those by which some frameworks are told of another path than
 * the target's, or of another method: routes go by what the request itself says. */
const CLAIMS = new Set([
  ...["forwarded", "x-real-ip", "x-original-url", "x-original-uri", "x-rewrite-url"],
  ...["x-http-method-override", "x-http-method", "x-method-override"],
]);

/** The headers that the service gets with a request. `Content-Length` is among them where the client sent it. */
export function requestHeaders(req: EdgeRequest): Pair[] {
  const lines = req.rawHeaders;
  const named = connectionOptions(lines);
  const pairs: Pair[] = [];
  const cookies: string[] = [];
  const host = authorityOf(req);
  if (host !== undefined) pairs.push(["host", host]);
  for (const [name, value] of pairsOf(lines)) {
    const key = name.toLowerCase();
    if (key === "host" || isLeftBehind(key, named) || isClaim(key)) continue;
    // HTTP/2 may send a cookie in crumbs, which HTTP/1.1 has in one line (RFC 9113, 8.2.3).
    if (key === "cookie" && req.httpVersionMajor === 2) cookies.push(value);
    else if (key === "cookie") pairs.push(...cookiePair(name, value));
    else pairs.push([name, value]);
  }
  pairs.push(...cookiePair("cookie", cookies.join("; ")));
  if (/(^|,)\s*trailers\s*(,|$)/i.test(`${req.headers.te ?? ""}`)) pairs.push(["te", "trailers"]);
  pairs.push(...provenance(req));
  return pairs;
}

/** The cookies that are not Usher's, if there are any. */
function cookiePair(name: string, value: string): Pair[] {
  const left = withoutOwn(value);
  return left === "" ? [] : [[name, left]];
}

/** The headers of a request that is stored: they are sent later, with a body whose length is known by then. */
export function storableHeaders(req: EdgeRequest): Pair[] {
  return requestHeaders(req).filter(([name]) => name.toLowerCase() !== "content-length");
}

/** Where the request came from, and through what: of a trusted proxy's words what is believed of them, of anybody
 * else's nothing. */
function provenance(req: EdgeRequest): Pair[] {
  const { scheme, host, hops } = clientOf(req);
  const version = req.httpVersionMajor === 2 ? "2" : req.httpVersion;
  const pairs: Pair[] = [
    ["via", `${version} ${VIA_NAME}`],
    ["x-forwarded-for", hops.join(", ")],
    ["x-forwarded-proto", scheme],
  ];
  if (host !== undefined) pairs.push(["x-forwarded-host", host]);
  return [...pairs, ["forwarded", writeForwarded(hops, { scheme, host })]];
}

/** The headers that have been set on a response so far. It has none afterwards, so that they can be sent together with
 * others, in one list. */
export function takeHeaders(res: EdgeResponse): Pair[] {
  const names = res.getHeaderNames();
  const pairs = names.flatMap((name) => {
    const value = res.getHeader(name);
    return (Array.isArray(value) ? value : [value]).map((line): Pair => [name, `${line}`]);
  });
  for (const name of names) res.removeHeader(name);
  return pairs;
}

/** The headers that the client gets with the service's answer, flat. `set`: what Usher says beside them; where that
 * says who may read the answer (CORS), the service does not. */
export function answerLines(lines: Lines, status: number, set: readonly Pair[] = []): string[] {
  const named = connectionOptions(lines);
  const hasCors = set.some(([name]) => name === "access-control-allow-origin");
  const kept: string[] = [];
  for (const [name, value] of pairsOf(lines)) {
    const key = name.toLowerCase();
    // Trailers of answers are passed on, so what announces them is, too.
    if (isLeftBehind(key, named) && key !== "trailer") continue;
    if (status === 204 && key === "content-length") continue;
    if (hasCors && key.startsWith("access-control-")) continue;
    if (key === "set-cookie" && setsOwn(value)) continue;
    kept.push(name, value);
  }
  return kept;
}

/** The trailers of an answer, without those that would be read as if they had been headers in time. */
export function trailerPairs(lines: Lines): [string, string][] {
  const pairs: [string, string][] = [];
  for (const [name, value] of pairsOf(lines)) {
    const key = name.toLowerCase();
    if (isLeftBehind(key, new Set()) || isEndToEnd(key)) continue;
    if (key === "set-cookie" && setsOwn(value)) continue;
    pairs.push([name, value]);
  }
  return pairs;
}

function isLeftBehind(key: string, named: ReadonlySet<string>): boolean {
  const name = dashed(key);
  if (HOP_BY_HOP.has(name) || name.startsWith("proxy-") || name.startsWith("usher-") || name.startsWith(":"))
    return true;
  return named.has(key) && !isEndToEnd(key);
}

/** Also a header that is another in disguise, which Usher has read or sets: `Content_Length` is none of the connection's
 * bytes, and a service must not take it for the length. */
function isClaim(key: string): boolean {
  const name = dashed(key);
  if (CLAIMS.has(name) || name.startsWith("x-forwarded-")) return true;
  return name !== key && isEndToEnd(name);
}

/** As services of CGI, WSGI and Rack read a name: to them `X_Real_IP` and `X-Real-IP` are one variable. */
function dashed(key: string): string {
  return key.replaceAll("_", "-");
}

function* pairsOf(lines: Lines): Generator<Pair> {
  for (let i = 0; i + 1 < lines.length; i += 2) yield [lines[i]!, lines[i + 1]!];
}
