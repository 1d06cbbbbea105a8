// What is refused before anything else looks at a request: whatever two programs might read in two ways. Behind the
// door, header lines may be trusted to be what they seem.

import { randomBytes } from "node:crypto";
import { authorityOf, type EdgeRequest, isContinue, type Lines, lineOf } from "./exchange.ts";
import { LISTENER_LIMITS } from "./limits.ts";
import { type Problem, problem } from "./problem.ts";
import { readTarget, type Target } from "./target.ts";
import { upgradeOf } from "./upgrade.ts";

/** This process's name in `Via`: a request that comes back to it is caught by it. */
export const VIA_NAME = `usher-${randomBytes(4).toString("hex")}`;

/** What the request asks for, or why it is refused. */
export function inspect(req: EdgeRequest): Target | Problem {
  const lines = req.rawHeaders;
  return (
    checkSize(req) ??
    checkMethod(req.method ?? "") ??
    checkHost(req) ??
    checkOnce(lines) ??
    checkConnection(req) ??
    checkCoding(req) ??
    checkLoop(lines) ??
    checkExpectation(req) ??
    (req.method === "OPTIONS" && req.url === WHOLE_SERVER.raw ? WHOLE_SERVER : readTarget(req.url ?? ""))
  );
}

/** What `OPTIONS *` asks about: no path, but whoever listens (RFC 9110, 9.3.7). */
export const WHOLE_SERVER: Target = { raw: "*", path: "*", query: undefined };

export function isProblem(value: Target | Problem): value is Problem {
  return "reason" in value;
}

/** HTTP/1.1's parser counts bytes itself. HTTP/2's takes up to 64 KiB until the client has acknowledged a lower
 * limit, which it may put off for ever. */
function checkSize(req: EdgeRequest): Problem | undefined {
  const { header_lines, header_list_bytes } = LISTENER_LIMITS;
  const lines = req.rawHeaders;
  if (lines.length / 2 > header_lines)
    return problem("headers_too_large", `at most ${header_lines} header lines are taken`);
  // A line counts 32 bytes beyond its own, RFC 9113, 6.5.2.
  const bytes = lines.reduce((sum, text) => sum + text.length + 16, 0);
  if (req.httpVersionMajor === 2 && bytes > header_list_bytes)
    return problem("headers_too_large", `a header list may have ${header_list_bytes} bytes`);
  return undefined;
}

/** CONNECT asks for a tunnel, TRACE for an echo of headers that may hold secrets. A method in small letters is
 * another one to Usher's routes, and maybe the same one to a service. */
export function checkMethod(method: string): Problem | undefined {
  if (method === "CONNECT" || method === "TRACE")
    return problem("method_refused", `${method} does not go through a waiting room`);
  if (!/^[A-Z][A-Z-]{0,31}$/.test(method))
    return problem("method_refused", "a method is written in capital letters");
  return undefined;
}

function checkHost(req: EdgeRequest): Problem | undefined {
  const hosts = valuesOf(req.rawHeaders, "host");
  const authority = lineOf(req.rawHeaders, ":authority");
  if (hosts.length > 1) return problem("host_duplicate", "send one Host header");
  if (authority !== undefined && hosts.length === 1 && hosts[0] !== authority)
    return problem("host_duplicate", "Host and :authority differ");
  const host = authorityOf(req);
  if (host === undefined)
    return req.httpVersion === "1.0" ? undefined : problem("host_missing", "send a Host header");
  if (!HOST.test(host))
    return problem("host_invalid", "a host is a name or an address, with a port or without");
  return undefined;
}

/** A name or an address, with a port or without. */
export const HOST = /^(?:[a-z0-9._~-]{1,255}|\[[0-9a-f:.]{2,45}\])(?::\d{0,5})?$/i;

/** Headers whose first value one program takes and whose last another, where it matters which. */
const ONCE = new Set([
  "authorization",
  "idempotency-key",
  "content-length",
  "content-type",
  "transfer-encoding",
]);

function checkOnce(lines: Lines): Problem | undefined {
  const seen = new Set<string>();
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!.toLowerCase();
    if (!ONCE.has(name) && !name.startsWith("usher-")) continue;
    if (seen.has(name)) return problem("header_duplicate", `send one ${name} header`);
    seen.add(name);
  }
  return undefined;
}

/** Headers that Usher reads or sets for the service. `Connection` asks for the headers that it names to be dropped
 * on the way; of these, a service has to be able to rely on what it sees. */
const END_TO_END = new Set([
  ...["host", "authorization", "cookie", "idempotency-key", "expect", "prefer", "date", "forwarded", "via"],
  ...["content-length", "content-type", "content-encoding", "transfer-encoding", "x-real-ip"],
]);

export function isEndToEnd(name: string): boolean {
  return END_TO_END.has(name) || name.startsWith("usher-") || name.startsWith("x-forwarded-");
}

function checkConnection(req: EdgeRequest): Problem | undefined {
  const lines = req.rawHeaders;
  const named = connectionOptions(lines);
  const wrong = [...named].find(isEndToEnd);
  if (wrong !== undefined)
    return problem("connection_header", `${wrong} is not the connection's, so Connection cannot name it`);
  // An upgrade to h2c may be ignored, and is; of one that could be granted, its route decides.
  const upgrade =
    named.has("upgrade") && upgradeOf(req) === undefined ? valuesOf(lines, "upgrade").flatMap(tokens) : [];
  if (upgrade.some((protocol) => protocol !== "h2c"))
    return problem(
      "upgrade_refused",
      "an upgrade is a GET of HTTP/1.1 without a body, to one protocol that is not HTTP",
    );
  return undefined;
}

/** Whatever else is coded in, taking off `chunked` alone would garble. */
function checkCoding(req: EdgeRequest): Problem | undefined {
  const coding = lineOf(req.rawHeaders, "transfer-encoding");
  if (coding === undefined) return undefined;
  if (req.httpVersion === "1.0") return problem("request_malformed", "HTTP/1.0 has no Transfer-Encoding");
  if (coding.trim().toLowerCase() !== "chunked")
    return problem("transfer_coding", "the only transfer coding taken is chunked");
  return undefined;
}

function checkLoop(lines: Lines): Problem | undefined {
  if (!valuesOf(lines, "via").some((value) => value.includes(VIA_NAME))) return undefined;
  return problem("loop", "the service's address leads back to Usher itself: correct it in the configuration");
}

function checkExpectation(req: EdgeRequest): Problem | undefined {
  const { expect } = req.headers;
  if (expect === undefined || isContinue(expect) || req.httpVersion === "1.0") return undefined;
  return problem("expectation_failed", "the only expectation that can be met is 100-continue");
}

/** The names in `Connection`, in small letters. */
export function connectionOptions(lines: Lines): Set<string> {
  return new Set(valuesOf(lines, "connection").flatMap(tokens));
}

function valuesOf(lines: Lines, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < lines.length; i += 2) if (lines[i]!.toLowerCase() === name) values.push(lines[i + 1]!);
  return values;
}

function tokens(value: string): string[] {
  return value
    .split(",")
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== "");
}
