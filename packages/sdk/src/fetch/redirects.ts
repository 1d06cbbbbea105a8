// Redirects that are followed here, where the platform tells of them: so that none of Usher's headers goes to another
// origin, and what a redirect leads to waits its turn as any other request. By the Fetch standard, "HTTP-redirect fetch"
// (fetch.spec.whatwg.org/#http-redirect-fetch).

import type { Repeatable } from "./request.ts";

const STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** As many are followed as `fetch` follows. */
const REDIRECTS_MAX = 20;

/** Headers that tell of a body, and go with it. */
const OF_BODY = [
  ...["content-encoding", "content-language", "content-location"],
  ...["content-type", "content-length"],
] as const;

/** Headers that are for one origin alone. */
const OF_ORIGIN = ["authorization", "proxy-authorization", "cookie", "host"] as const;

/** Whether `redirect: "manual"` shows where a redirect leads: pages and their workers are not shown it. */
export function showsRedirects(): boolean {
  return !("document" in globalThis) && !("WorkerGlobalScope" in globalThis);
}

/** What to fetch next, where an answer leads elsewhere, and that is followed here. `count`: how many redirects there were
 * before. Throws a `TypeError`, as `fetch` rejects, where it leads nowhere. */
export function redirectIn(
  { status, headers, body: shown }: Response,
  request: Repeatable,
  count: number,
): [url: string, init: RequestInit] | undefined {
  const location = headers.get("location");
  if (!STATUSES.has(status) || request.redirectHere === undefined) return undefined;
  if (location !== null || request.redirectHere === "error") shown?.cancel().catch(() => {});
  if (request.redirectHere === "error") throw failed("it is a redirect, and those are to be errors");
  if (location === null) return undefined;
  const url = urlOf(location, request.url);
  if (url === undefined) throw failed(`the redirect leads to no address of http: ${location}`);
  if (url.username !== "" || url.password !== "") throw failed("the redirect's address holds credentials");
  if (count >= REDIRECTS_MAX) throw failed(`more than ${REDIRECTS_MAX} redirects`);
  const { method } = request;
  const isPostMoved = (status === 301 || status === 302) && method === "POST";
  const isSeeOther = status === 303 && method !== "GET" && method !== "HEAD";
  const { body, ...init } = request.init({});
  const kept = new Headers(init.headers);
  if (isPostMoved || isSeeOther) for (const name of OF_BODY) kept.delete(name);
  if (url.origin !== request.origin) for (const name of OF_ORIGIN) kept.delete(name);
  const same = { ...init, headers: kept, redirect: "follow" } as const;
  if (isPostMoved || isSeeOther) return [url.href, { ...same, method: "GET" }];
  return [url.href, { ...same, ...(body && { body }) }];
}

/** The answer at a redirect's end, which says so. */
export function afterRedirect(response: Response): Response {
  return Object.defineProperty(response, "redirected", { value: true });
}

/** Absent where it is none that can be fetched. Bytes beyond ASCII are taken for UTF-8, as browsers take them. */
function urlOf(location: string, base: string): URL | undefined {
  const bytes = Uint8Array.from(location, (char) => char.charCodeAt(0));
  const text = new TextDecoder().decode(bytes);
  if (!URL.canParse(text, base)) return undefined;
  const url = new URL(text, base);
  return /^https?:$/.test(url.protocol) ? url : undefined;
}

function failed(why: string): TypeError {
  return new TypeError("fetch failed", { cause: new Error(why) });
}
