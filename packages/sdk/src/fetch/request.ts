// A request that can be made again as it was: its body is read once, and kept.

/** Methods that change nothing (RFC 9110, 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** What of a `Request` is no member of its own when it is copied. */
const COPIED = [
  ...(["cache", "credentials", "integrity", "keepalive"] as const),
  ...(["mode", "redirect", "referrer", "referrerPolicy"] as const),
] as const;

/** The headers that make a request another one: whose it is, what it brings and wants, and the caller's own word for it. */
const TELLING = ["authorization", "content-type", "accept", "idempotency-key"] as const;

/** What `fetch` takes first. */
export type FetchInput = Parameters<typeof fetch>[0];

export interface Repeatable {
  readonly url: string;
  readonly origin: string;
  readonly method: string;
  /** What the platform is to do where the service sends the caller elsewhere: "manual" where that is seen to here. */
  readonly redirect: RequestInit["redirect"];
  /** What is done about it here; absent where it is for the platform, or for the caller. */
  readonly redirectHere: "follow" | "error" | undefined;
  /** How to ask for what belongs to it: with the same credentials, by the same way. */
  readonly manners: RequestInit;
  /** What the caller gives up with: of the `Request`, unless another, or none (`null`), is named beside it. */
  readonly signal: AbortSignal | undefined;
  /** The caller's own key. */
  readonly key: string | undefined;
  /** Whether the request changes nothing by itself. */
  readonly isSafe: boolean;
  /** For `fetch`, with headers beside its own. */
  init(headers: Readonly<Record<string, string>>): RequestInit;
  /** For `fetch`, to ask the gateway whether it is kept; absent where this place has no digests. */
  question(headers: Readonly<Record<string, string>>): Promise<RequestInit | undefined>;
  /** What makes it this request and no other: a digest; absent where this place has no digests (a page without https). */
  digest(): Promise<string | undefined>;
}

/** Its body is read. */
export async function repeatable(input: FetchInput, init: RequestInit): Promise<Repeatable> {
  const request = new Request(input, init);
  const { url, method } = request;
  const given = input instanceof Request && init.signal === undefined ? input.signal : init.signal;
  const signal = given ?? undefined;
  const body = await bodyOf(request, signal);
  const rest: RequestInit = input instanceof Request ? copied(request) : {};
  const key = request.headers.get("idempotency-key") ?? undefined;
  const isSafe = SAFE.has(method);
  // A digest of the answer is for the platform to check, at the redirect's end.
  const isSeenHere = request.redirect !== "manual" && request.integrity === "" && showsRedirects();
  const redirectHere = isSeenHere ? (request.redirect as "follow" | "error") : undefined;
  const redirect = isSeenHere ? "manual" : request.redirect;
  const manners = mannersOf({ ...rest, ...init });
  const withHeaders = (headers: Readonly<Record<string, string>>): Headers => {
    const all = new Headers(request.headers);
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    return all;
  };
  return {
    url,
    origin: new URL(url).origin,
    method,
    redirect,
    redirectHere,
    manners,
    signal,
    key,
    isSafe,
    init(headers) {
      const own = { method, redirect, headers: withHeaders(headers) };
      return { ...rest, ...init, ...own, ...(body && { body }), ...(signal && { signal }) };
    },
    async question(headers) {
      const digest = await sha256(body ?? new ArrayBuffer());
      if (digest === undefined) return undefined;
      const { pathname, search } = new URL(url);
      const named = { "usher-request": `${method} ${pathname}${search} ${digest}` };
      const all = withHeaders({ ...headers, ...named });
      return { ...manners, headers: all, redirect: "manual" };
    },
    async digest() {
      const telling = TELLING.map((name) => request.headers.get(name) ?? "");
      const head = new TextEncoder().encode(`${[method, url, ...telling].join("\n")}\n`);
      const bytes = new Uint8Array(head.length + (body?.byteLength ?? 0));
      bytes.set(head);
      if (body) bytes.set(new Uint8Array(body), head.length);
      return (await sha256(bytes))?.slice(0, 32);
    },
  };
}

/** Absent where there is none. Rejects as soon as the signal is aborted, also while a stream has nothing to say. */
async function bodyOf(request: Request, signal: AbortSignal | undefined): Promise<ArrayBuffer | undefined> {
  if (request.body === null || request.method === "GET" || request.method === "HEAD") return undefined;
  // Firefox shows no body of a request, and takes no stream for one.
  if (signal === undefined || request.body === undefined) return request.arrayBuffer();
  const read = request.body.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(), { signal });
  return new Response(read).arrayBuffer();
}

/** Whether `redirect: "manual"` shows where a redirect leads: pages and their workers are not shown it. */
function showsRedirects(): boolean {
  return !("document" in globalThis || "WorkerGlobalScope" in globalThis);
}

/** In hex; absent where this place has no digests. */
async function sha256(bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  const digest = await globalThis.crypto?.subtle?.digest("SHA-256", bytes);
  return digest && Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What of a request goes for what belongs to it as well: not what it says itself. */
function mannersOf(init: RequestInit): RequestInit {
  const own = new Set(["method", "headers", "body", "redirect", "signal", "duplex", "integrity", "cache"]);
  const kept = Object.entries(init).filter(([name]) => !own.has(name));
  return { ...Object.fromEntries(kept), cache: "no-store" };
}

function copied(request: Request): RequestInit {
  return Object.fromEntries(
    COPIED.map((name) => [name, request[name]]).filter(
      ([name, value]) => name !== "mode" || value !== "navigate",
    ),
  );
}
