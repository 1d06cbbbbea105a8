// One request and its answer, by fetch: https://connectrpc.com/docs/protocol/#unary-request.

import { REAL_CLOCK } from "../../calls/clock.ts";
import { reasonOf } from "../../calls/reason.ts";
import { provesUnsent } from "../../calls/unsent.ts";
import { UsherError } from "../../errors.ts";
import { headerValue } from "../api-key.ts";
import { serverUrl } from "../base-url.ts";
import { unanswered, unreached } from "../obstacles.ts";
import type { Call } from "../rpc.ts";
import { isErrorJson, refusalOf } from "./refusals.ts";

const SERVICE = "usher.queue.v1.QueueService";

const PORTS = "A gateway's port takes Connect, 8080 by default; a node's native one does not.";

export interface PosterOptions {
  /** Where the gateway is, such as `https://shop.example`. Relative to the page in a browser; default: its origin. */
  readonly baseUrl?: string;
  /** One of the server's API keys; never in a page, where everybody can read it. Default: none. */
  readonly apiKey?: string | undefined;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
}

export class Poster {
  /** Without a slash at its end. */
  readonly #base: string;
  /** Whom it asks, for errors. */
  readonly where: string;
  readonly #apiKey: string | undefined;
  readonly #fetch: typeof fetch;

  constructor({ baseUrl = "", apiKey, fetch: given }: PosterOptions) {
    const page = (globalThis as { location?: { href?: string } }).location?.href;
    // What it is relative to has no query: the page's own is no part of it.
    serverUrl(baseUrl, { page: page?.replace(/[?#].*/s, ""), path: true });
    this.#base = baseUrl.replace(/\/+$/, "");
    this.where = this.#base || "the page's own origin";
    this.#apiKey = apiKey === undefined ? undefined : headerValue(apiKey);
    // The global one is looked up at each call, for it may be replaced; and it must be called as a function.
    this.#fetch = given ?? ((input, init) => fetch(input, init));
  }

  async unary<A>(method: string, request: object, call: Call): Promise<A> {
    const limit = limitOf(call, this.where);
    try {
      const body = JSON.stringify(request);
      const response = await this.post(method, "application/json", body, limit.signal);
      const answer: unknown = await parsed(response);
      if (response.ok && typeof answer === "object" && answer !== null) return answer as A;
      throw isErrorJson(answer) ? refusalOf(answer, this.where) : strange(response, this.where);
    } catch (thrown) {
      throw limit.explain(thrown);
    } finally {
      limit.done();
    }
  }

  post(
    method: string,
    type: string,
    body: string | Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<Response> {
    return this.#fetch(`${this.#base}/${SERVICE}/${method}`, {
      method: "POST",
      headers: {
        "content-type": type,
        "connect-protocol-version": "1",
        ...(this.#apiKey !== undefined && { "usher-api-key": this.#apiKey }),
      },
      body,
      signal,
      cache: "no-store",
      redirect: "manual",
    });
  }
}

/** An answer that is no word of the protocol: a proxy's page, most likely. `where`: from whom. */
export function strange(response: Response, where: string): UsherError {
  const { status, headers } = response;
  const retryable = status >= 500 || status === 429 || status === 408;
  const isRedirect = response.type === "opaqueredirect" || (status >= 300 && status < 400);
  const what = isRedirect
    ? "redirects elsewhere, where no call goes"
    : `answers ${status} with ${headers.get("content-type") ?? "no content type"}, which is not the Connect protocol`;
  // So do servers that take TLS alone.
  const tls = status === 400 && where.startsWith("http:") ? " Does baseUrl have to begin with https://?" : "";
  return new UsherError(
    "unexpected_answer",
    `${where} ${what}: is baseUrl right, and is there a proxy in between?${tls}`,
    { kind: { retryable } },
  );
}

async function parsed(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface Limit {
  readonly signal: AbortSignal;
  /** What a thrown value means: the caller's abort, the time that is over, or what it is. */
  explain(thrown: unknown): UsherError;
  /** The time no longer counts. */
  met(): void;
  done(): void;
}

/** A call's signal and time as one signal. `where`: whom it goes to, for errors. */
export function limitOf({ signal, timeout }: Call, where: string): Limit {
  const both = new AbortController();
  let isLate = false;
  const met = REAL_CLOCK.after(timeout, () => {
    isLate = true;
    both.abort();
  });
  const abort = (): void => both.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  return {
    signal: both.signal,
    explain(thrown) {
      if (thrown instanceof UsherError) return thrown;
      if (signal?.aborted) return new UsherError("canceled", "the caller gave up", { cause: signal.reason });
      if (isLate) return new UsherError("deadline_exceeded", unanswered(where, timeout), { cause: thrown });
      return new UsherError("unreachable", unreached(where, reasonOf(thrown), PORTS), {
        cause: thrown,
        kind: provesUnsent(thrown) ? { outcome: "refused" } : {},
      });
    },
    met,
    done() {
      met();
      signal?.removeEventListener("abort", abort);
    },
  };
}
