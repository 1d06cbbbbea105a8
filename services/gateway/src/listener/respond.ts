import type { EdgeResponse } from "./exchange.ts";

/** Answers whole, over either protocol. Header values of several lines go in lists. */
export function respond(
  res: EdgeResponse,
  status: number,
  headers: Iterable<readonly [name: string, value: string | readonly string[]]>,
  body: Uint8Array | undefined,
): void {
  res.statusCode = status;
  for (const [name, value] of headers) res.setHeader(name, typeof value === "string" ? value : [...value]);
  if (body === undefined) res.end();
  else res.end(body);
}
