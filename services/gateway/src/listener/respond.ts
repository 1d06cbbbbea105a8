import type { EdgeResponse } from "./exchange.ts";

/** Answers whole, over either protocol. Header values of several lines go in lists. What has been set on the response
 * before stays, where this says nothing of it; who may read it (CORS) is not said twice. */
export function respond(
  res: EdgeResponse,
  status: number,
  headers: Iterable<readonly [name: string, value: string | readonly string[]]>,
  body: Uint8Array | undefined,
): void {
  res.statusCode = status;
  const vary = res.getHeader("vary");
  const hasCors = res.hasHeader("access-control-allow-origin");
  for (const [name, value] of headers) {
    if (hasCors && OF_READERS.has(name)) continue;
    res.setHeader(name, typeof value === "string" ? value : [...value]);
  }
  if (vary !== undefined && res.getHeader("vary") !== vary)
    res.setHeader("vary", [vary, res.getHeader("vary")].flat().map(String));
  if (body === undefined) res.end();
  else res.end(body);
}

/** What a stored answer of a service's may say, and is Usher's to say. */
const OF_READERS: ReadonlySet<string> = new Set([
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "access-control-expose-headers",
]);
