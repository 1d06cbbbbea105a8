// Redirects that are followed here, where the platform tells of them: so that none of Usher's headers goes to another
// origin, and what a redirect leads to waits its turn as any other request. By the Fetch standard, "HTTP-redirect fetch"
// (fetch.spec.whatwg.org/#http-redirect-fetch).

import type { Repeatable } from "./request.ts";

const STATUSES: readonly number[] = [301, 302, 303, 307, 308];

/** As many are followed as `fetch` follows. */
const REDIRECTS_MAX = 20;

/** Headers that tell of a body, and go with it, without their `content-`. */
const OF_BODY = ["encoding", "language", "location", "type", "length"] as const;

/** Headers that are for one origin alone. */
const OF_ORIGIN = ["authorization", "proxy-authorization", "cookie", "host"] as const;

/** What to fetch next, where an answer leads elsewhere, and that is followed here. `count`: how many redirects there were
 * before. Throws a `TypeError`, as `fetch` rejects, where it leads nowhere. */
export function redirectIn(
  response: Response,
  { url, method, origin, redirectHere, init }: Repeatable,
  count: number,
): [url: string, init: RequestInit] | undefined {
  const { status, headers } = response;
  const location = headers.get("location");
  const mustFail = redirectHere === "error";
  if (!redirectHere || !STATUSES.includes(status) || (location === null && !mustFail)) return undefined;
  response.body?.cancel().catch(() => {});
  const to = mustFail || count >= REDIRECTS_MAX ? undefined : urlOf(location ?? "", url);
  if (to === undefined)
    throw new TypeError("fetch failed", {
      cause: new Error(`redirect ${count + 1} is not followed: to ${location}`),
    });
  const isGet = status === 303 ? method !== "GET" && method !== "HEAD" : status < 303 && method === "POST";
  const { body, ...same } = init({});
  const kept = new Headers(same.headers);
  if (isGet) for (const name of OF_BODY) kept.delete(`content-${name}`);
  if (to.origin !== origin) for (const name of OF_ORIGIN) kept.delete(name);
  const next = { ...same, headers: kept, redirect: "follow" } as const;
  return [to.href, isGet ? { ...next, method: "GET" } : { ...next, ...(body && { body }) }];
}

/** The answer at a redirect's end, which says so. */
export function afterRedirect(response: Response): Response {
  return Object.defineProperty(response, "redirected", { value: true });
}

/** Absent where it is none that may be fetched. Bytes beyond ASCII are taken for UTF-8, as browsers take them. */
function urlOf(location: string, base: string): URL | undefined {
  const bytes = Uint8Array.from(location, (char) => char.charCodeAt(0));
  const text = new TextDecoder().decode(bytes);
  const url = URL.canParse(text, base) ? new URL(text, base) : undefined;
  return url && /^https?:$/.test(url.protocol) && !url.username && !url.password ? url : undefined;
}
