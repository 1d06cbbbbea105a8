// Which web pages of other origins may call Usher from a visitor's browser, and read what it answers (the Fetch
// standard's CORS protocol). Where any are allowed, Usher answers for its services as well: what they say of it themselves
// is replaced for those origins, and passed on as it is for others.

import { cors } from "@connectrpc/connect";
import type { EdgeRequest, EdgeResponse } from "./exchange.ts";
import { respond } from "./respond.ts";

/** What a page may read beside what it always may: Usher's own headers, and those of gRPC-Web. */
const EXPOSED = [
  ...["Location", "Retry-After", "Usher-Ticket", "Usher-Idempotency-Key", "Usher-Pass"],
  ...["Usher-Body-Dropped", "Usher-Problem"],
  ...cors.exposedHeaders,
].join(", ");

/** How long, in seconds, a browser may remember a preflight's answer; 7,200, which is the longest that any does. */
const PREFLIGHT_AGE_S = 7_200;

/** Whether a browser asks if a page of another origin may ask: without cookies or keys, and once for each request that the
 * page has in mind. Any other OPTIONS is a request like others. */
export function isPreflight({ method, headers }: Asks): boolean {
  return (
    method === "OPTIONS" &&
    headers.origin !== undefined &&
    headers["access-control-request-method"] !== undefined
  );
}

interface Asks {
  readonly method?: string | undefined;
  readonly headers: Readonly<Partial<Record<"origin" | "access-control-request-method", string>>>;
}

export class Cors {
  readonly #allowed: ReadonlySet<string>;

  /** Exact origins, such as `https://shop.example`; none: Usher says nothing, and services speak for themselves. */
  constructor(allowed_origins: readonly string[]) {
    this.#allowed = new Set(allowed_origins);
  }

  /** Sets on the response, before anything else is, what lets a page read it. With cookies: a ticket's holder, and who has
   * a pass, are known by them. */
  mark(req: EdgeRequest, res: EdgeResponse): void {
    if (this.#allowed.size === 0) return;
    // Whatever the origin, for a cache could give one's answer to another.
    res.setHeader("vary", "Origin");
    const { origin } = req.headers;
    if (origin === undefined || !this.#allowed.has(origin)) return;
    res.setHeader("access-control-allow-origin", origin);
    res.setHeader("access-control-allow-credentials", "true");
    res.setHeader("access-control-expose-headers", EXPOSED);
  }

  /** Answers the question of a browser whether a request may be made, where an allowed origin asks: all may. Otherwise
   * false: then it is a request like any other. */
  answerPreflight(req: EdgeRequest, res: EdgeResponse): boolean {
    const { origin, "access-control-request-method": method } = req.headers;
    if (!isPreflight(req) || origin === undefined || method === undefined) return false;
    if (!this.#allowed.has(origin)) return false;
    const headers = req.headers["access-control-request-headers"];
    respond(
      res,
      204,
      Object.entries({
        "access-control-allow-methods": method,
        ...(headers !== undefined && { "access-control-allow-headers": headers }),
        "access-control-max-age": `${PREFLIGHT_AGE_S}`,
        vary: "Access-Control-Request-Method, Access-Control-Request-Headers",
      }),
      undefined,
    );
    return true;
  }
}
