// Sends a stored request, whole, and keeps the answer, whole. What matters most is to tell exactly what became of it:
// a stored request may be sent again only if it surely was not carried out.

import { Call, type Failure, type Head } from "./call.ts";
import { answerLines, type Pair } from "./headers.ts";
import type { Service } from "./service.ts";

/** A header line, as it is stored: the value is bytes, since HTTP does not promise more. */
export interface StoredHeader {
  readonly name: string;
  readonly value: Uint8Array;
}

export interface StoredSend {
  readonly service: Service;
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  /** As `storableHeaders` made them. */
  readonly headers: readonly StoredHeader[];
  readonly body: Uint8Array;
  /** Further headers, such as `["Usher-Ticket", "17"]`. */
  readonly add?: readonly Pair[];
  /** From now to the last byte of the answer, in milliseconds. */
  readonly timeout_ms: number;
  /** The largest body of an answer that is kept; default 1 MiB. */
  readonly response_bytes?: number;
  /** Called when the request begins to be sent; never, if nothing is. */
  readonly onSent?: () => void;
  /** Gives up. */
  readonly signal?: AbortSignal;
}

/** - `answered`: the whole answer came, whatever its status.
 * - `not_connected`: surely nothing was sent, so it may be sent again.
 * - `lost`: something may have been sent, and no whole answer came back: the connection broke, the answer was not
 *   HTTP, or the sender was told to give up. Also when the service closed an idle connection in the very moment in
 *   which the request was written to it: from here, that looks the same.
 * - `timed_out`: no whole answer in time; with `sent` false, surely nothing was sent.
 * - `too_large`: the service answered, with more than is kept. */
export type SendResult =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly headers: readonly StoredHeader[];
      readonly body: Uint8Array;
    }
  | { readonly kind: "not_connected"; readonly error: Error }
  | { readonly kind: "lost"; readonly error: Error }
  | { readonly kind: "timed_out"; readonly sent: boolean }
  | { readonly kind: "too_large"; readonly status: number; readonly headers: readonly StoredHeader[] };

/** Sends a stored request once; never by itself a second time. Never rejects. */
export function sendStored(request: StoredSend): Promise<SendResult> {
  return new Promise((resolve) => new Sending(request, resolve));
}

class Sending {
  readonly #most: number;
  readonly #call: Call;
  readonly #settle: (result: SendResult) => void;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #head: { status: number; headers: StoredHeader[] } | undefined;

  constructor(request: StoredSend, resolve: (result: SendResult) => void) {
    const { service, method, target, body, timeout_ms, signal } = request;
    this.#most = request.response_bytes ?? service.limits.response_bytes;
    const onAbort = (): void => this.#giveUp();
    this.#settle = (result) => {
      signal?.removeEventListener("abort", onAbort);
      resolve(result);
    };
    this.#call = new Call(
      service,
      { method, target, headers: linesOf(request), body: body.length === 0 ? null : body },
      { whole_ms: timeout_ms },
      {
        ...(request.onSent !== undefined && { onSent: request.onSent }),
        onHead: (head) => this.#onHead(head, method),
        onData: (chunk) => this.#onData(chunk),
        onEnd: () => this.#onEnd(),
        onFailure: (failure) => this.#onFailure(failure),
      },
    );
    if (signal?.aborted) this.#giveUp();
    else signal?.addEventListener("abort", onAbort, { once: true });
  }

  #onHead({ status, lines }: Head, method: string): void {
    const headers = toStored(answerLines(lines, status));
    this.#head = { status, headers };
    const declared = headers.find(({ name }) => name.toLowerCase() === "content-length");
    // The answer to a HEAD declares a length, and has none.
    if (method !== "HEAD" && Number(Buffer.from(declared?.value ?? []).toString()) > this.#most)
      this.#tooLarge();
  }

  #onData(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > this.#most) this.#tooLarge();
    else this.#chunks.push(chunk);
  }

  #onEnd(): void {
    const { status, headers } = this.#head!;
    this.#settle({ kind: "answered", status, headers, body: Buffer.concat(this.#chunks, this.#length) });
  }

  #onFailure({ kind, sent, error }: Failure): void {
    this.#settle(kind === "timed_out" ? { kind, sent } : { kind, error });
  }

  #tooLarge(): void {
    this.#chunks.length = 0;
    this.#call.abort(new Error(`the answer has more than ${this.#most} bytes`));
    this.#settle({ kind: "too_large", ...this.#head! });
  }

  #giveUp(): void {
    const error = new Error("the sender gave up");
    const { sent } = this.#call;
    this.#call.abort(error);
    this.#settle({ kind: sent ? "lost" : "not_connected", error });
  }
}

/** What undici sets by itself, or would refuse. */
const OWN = new Set(["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "expect"]);

function linesOf({ headers, add = [] }: StoredSend): string[] {
  const stored = headers
    .filter(({ name }) => !OWN.has(name.toLowerCase()))
    .map(({ name, value }) => [name, Buffer.from(value).toString("latin1")]);
  return [...stored, ...add].flat();
}

function toStored(lines: readonly string[]): StoredHeader[] {
  const headers: StoredHeader[] = [];
  for (let i = 0; i + 1 < lines.length; i += 2)
    headers.push({ name: lines[i]!, value: Buffer.from(lines[i + 1]!, "latin1") });
  return headers;
}
