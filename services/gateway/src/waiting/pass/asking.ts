// The facts of a request that decide whether it may go on: apart from the request itself, since a proxy may ask on
// another's behalf.

import { clientOf } from "../../listener/client.ts";
import type { EdgeRequest } from "../../listener/exchange.ts";

export interface Asking {
  readonly method: string;
  /** By names in small letters; those that came more than once, and may not, are left out. */
  readonly headers: Readonly<Partial<Record<HeaderName, string>>>;
  /** Whether the client speaks https, to Usher or to the proxy before it. */
  readonly secure: boolean;
}

/** The headers that make a difference. */
const HEADERS = [
  ...["cookie", "usher-pass", "usher-visitor", "idempotency-key", "authorization", "usher-api-key"],
  ...["accept", "accept-language", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest"],
  ...["traceparent", "tracestate"],
  ...["origin", "access-control-request-method"],
] as const;

export type HeaderName = (typeof HEADERS)[number];

/** What a request asks by itself. */
export function askingOf(req: EdgeRequest): Asking {
  return askingFrom(req.method ?? "GET", (name) => req.headers[name], clientOf(req).scheme === "https");
}

/** What a request asks of which somebody tells. `header`: its value, by a name in small letters. */
export function askingFrom(
  method: string,
  header: (name: HeaderName) => string | readonly string[] | undefined,
  secure: boolean,
): Asking {
  const headers: Partial<Record<HeaderName, string>> = {};
  for (const name of HEADERS) {
    const value = header(name);
    if (typeof value === "string") headers[name] = value;
  }
  return { method, headers, secure };
}

/** Whether a browser asks for a page, to show it to somebody. Not all say so: over plain http, none does. */
export function isNavigation({ headers }: Asking): boolean {
  const mode = headers["sec-fetch-mode"];
  if (mode !== undefined) return mode === "navigate";
  return /(?:^|,)\s*text\/html\s*(?:;|,|$)/i.test(headers.accept ?? "");
}

/** Whether another site had the browser send this: then the cookies that there are did not come along, and to set new ones
 * would take somebody's place away. Only who follows a link brings them, in a window of its own and not in a frame. */
export function isForeign(asking: Asking): boolean {
  const { "sec-fetch-site": site, "sec-fetch-dest": destination = "document" } = asking.headers;
  const follows = isNavigation(asking) && !isSending(asking) && destination === "document";
  return site === "cross-site" && !follows;
}

/** Whether a page may read the answer, though it is another site's: of an origin that is allowed to, by a script. */
export function isReadable({ headers }: Asking, allowed_origins: readonly string[]): boolean {
  const { origin, "sec-fetch-mode": mode } = headers;
  return mode === "cors" && origin !== undefined && allowed_origins.includes(origin);
}

/** Whether it is a form that was sent, or anything else that cannot just be asked for again. */
export function isSending({ method }: Asking): boolean {
  return method !== "GET" && method !== "HEAD";
}
