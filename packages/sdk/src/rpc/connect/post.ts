// One request and its answer, by fetch: https://connectrpc.com/docs/protocol/#unary-request.

import { UsherError } from "../../errors.ts";
import type { Call } from "../rpc.ts";
import { isErrorJson, refusalOf } from "./refusals.ts";

const SERVICE = "usher.queue.v1.QueueService";

export interface PosterOptions {
  /** Where the gateway is, such as `https://shop.example`. Relative to the page in a browser; default: its origin. */
  readonly baseUrl?: string;
  /** One of the server's API keys; never in a page, where everybody can read it. Default: none. */
  readonly apiKey?: string | undefined;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
}

export class Poster {
  readonly #base: string;
  readonly #apiKey: string | undefined;
  readonly #fetch: typeof fetch;

  constructor({ baseUrl = "", apiKey, fetch: given }: PosterOptions) {
    this.#base = baseUrl.replace(/\/+$/, "");
    this.#apiKey = apiKey;
    // The global one is looked up at each call, for it may be replaced; and it must be called as a function.
    this.#fetch = given ?? ((input, init) => fetch(input, init));
  }

  async unary<A>(method: string, request: object, call: Call): Promise<A> {
    const limit = limitOf(call);
    try {
      const body = JSON.stringify(request);
      const response = await this.post(method, "application/json", body, limit.signal);
      const answer: unknown = await parsed(response);
      if (response.ok && typeof answer === "object" && answer !== null) return answer as A;
      throw isErrorJson(answer) ? refusalOf(answer) : strange(response);
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
      redirect: "error",
    });
  }
}

/** An answer that is no word of the protocol: a proxy's page, most likely. */
export function strange(response: Response): UsherError {
  const { status } = response;
  const type = response.headers.get("content-type") ?? "no content type";
  const retryable = status >= 500 || status === 429 || status === 408;
  const what = `it answered ${status} with ${type}, which is not the Connect protocol`;
  return new UsherError("unexpected_answer", `${what}: is baseUrl right, and is there a proxy in between?`, {
    kind: { retryable },
  });
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

/** A call's signal and time as one signal. */
export function limitOf({ signal, timeout }: Call): Limit {
  const both = new AbortController();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    both.abort();
  }, timeout);
  const abort = (): void => both.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  return {
    signal: both.signal,
    explain(thrown) {
      if (thrown instanceof UsherError) return thrown;
      if (signal?.aborted) return new UsherError("canceled", "the caller gave up", { cause: signal.reason });
      if (isLate)
        return new UsherError("deadline_exceeded", `no answer within ${timeout} ms`, { cause: thrown });
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      return new UsherError("unreachable", `the gateway could not be reached: ${why}`, { cause: thrown });
    },
    met: () => clearTimeout(timer),
    done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    },
  };
}
