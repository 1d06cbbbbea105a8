// One buyer's connection: real sockets, one request at a time, kept alive between requests.

import { Client, type Dispatcher } from "undici";

/** How long a buyer waits for an answer, in milliseconds, until it counts as broken; 30,000, as browsers' proxies do. */
const ANSWER_MS = 30_000;

/** The largest answer that is read; an answer of the shop has some 100 bytes, a Status some 500. */
const ANSWER_BYTES_MAX = 64 * 1024;

export interface WireRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** No whole answer came: the connection broke, was refused, or the time was over. */
export class WireError extends Error {
  override readonly name = "WireError";
  /** ECONNRESET, UND_ERR_SOCKET and so on; TIMEOUT; TOO_LARGE. */
  readonly code: string;

  constructor(code: string) {
    super(`no answer: ${code}`);
    this.code = code;
  }
}

export class Wire {
  readonly #origin: string;
  #client: Client | undefined;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Sends a request; rejects with a WireError. `sent` is called just before its first byte goes to the socket, so
   * not at all where no connection came about. `limit_ms` shortens the wait for the answer. */
  send(request: WireRequest, sent: () => void, limit_ms: number): Promise<WireAnswer> {
    this.#client ??= new Client(this.#origin, { pipelining: 1, allowH2: false, keepAliveTimeout: 60_000 });
    const client = this.#client;
    return new Promise((resolve, reject) => {
      const fail = (code: string): void => {
        clearTimeout(timer);
        reject(new WireError(code));
      };
      // The connection goes with its request: nobody can say what it would carry next.
      const giveUp = (code: string): void => {
        fail(code);
        this.close();
      };
      const timer = setTimeout(() => giveUp("TIMEOUT"), Math.min(limit_ms, ANSWER_MS));
      const chunks: Buffer[] = [];
      let bytes = 0;
      let status = 0;
      let headers: WireAnswer["headers"] = {};
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart: sent,
        onResponseStart: (_controller, statusCode, received) => {
          status = statusCode;
          headers = received;
        },
        onResponseData: (_controller, chunk) => {
          bytes += chunk.length;
          if (bytes > ANSWER_BYTES_MAX) giveUp("TOO_LARGE");
          else chunks.push(chunk);
        },
        onResponseEnd: () => {
          clearTimeout(timer);
          resolve({ status, headers, body: Buffer.concat(chunks).toString("utf8") });
        },
        onResponseError: (_controller, error) => fail(codeOf(error)),
      };
      try {
        client.dispatch({ ...request, headers: { ...request.headers }, body: request.body ?? null }, handler);
      } catch (error) {
        fail(codeOf(error as Error));
      }
    });
  }

  /** Hangs up. */
  close(): void {
    this.#client?.destroy().catch(() => {});
    this.#client = undefined;
  }
}

function codeOf(error: Error): string {
  const { code, cause } = error as Error & { code?: unknown; cause?: { code?: unknown } };
  return String(code ?? cause?.code ?? error.name);
}
