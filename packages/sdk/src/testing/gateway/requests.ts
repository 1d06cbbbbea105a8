// Stored requests: sent to the service at their turn, by the reducer's rules for claims, and their answers kept.

import type { Change, ReleaseReason } from "@usher/queue";
import type { Place, TestNode } from "../node.ts";

/** What stands behind the gateway. A rejection is a connection that breaks before the answer. */
export type Service = (request: Request) => Response | Promise<Response>;

/** How long the service may take, in ms of the moved clock, before the claim lapses; 30 s. */
const TIMEOUT_MS = 30_000;

/** How long a request is left alone that was not answered, in ms of the moved clock; 1 s. */
const PAUSE_MS = 1_000;

/** Methods that may be carried out twice without harm (RFC 9110, 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** What a service answers that has not carried out the request: too many requests, or not now. */
const REFUSALS: ReadonlySet<number> = new Set([429, 503]);

interface Stored {
  readonly request: Request;
  readonly key: string;
  answer: Answer | undefined;
  sending: Promise<void> | undefined;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
}

export class StoredRequests {
  readonly #node: TestNode;
  readonly #queue: string;
  readonly #service: Service;
  /** By the ticket's number; for as long as the ticket is remembered. */
  readonly #stored = new Map<number, Stored>();

  constructor(node: TestNode, queue: string, service: Service) {
    this.#node = node;
    this.#queue = queue;
    this.#service = service;
    node.onChange((changes) => this.#changed(changes));
  }

  /** Stores a request with its new ticket. `body`: of the request, read. */
  take({ view }: Place, request: Request, body: Uint8Array<ArrayBuffer>): void {
    const { method, url } = request;
    const headers = new Headers(request.headers);
    const key = headers.get("idempotency-key") ?? crypto.randomUUID();
    headers.set("idempotency-key", key);
    for (const name of ["usher-visitor", "usher-pass"]) headers.delete(name);
    const stored = new Request(url, { method, headers, ...(body.length > 0 && { body }) });
    this.#stored.set(view.number, { request: stored, key, answer: undefined, sending: undefined });
    if (view.state === "admitted") this.#send(view.number);
  }

  /** Resolves when what is being sent now has been answered, or not. */
  async underWay({ view }: Place): Promise<void> {
    await this.#stored.get(view.number)?.sending;
  }

  /** A copy of the request; absent where the ticket has none. */
  requestOf({ view }: Place): Request | undefined {
    return this.#stored.get(view.number)?.request.clone();
  }

  keyOf({ view }: Place): string | undefined {
    return this.#stored.get(view.number)?.key;
  }

  /** The service's answer; absent where there is none. */
  answerTo({ view }: Place): Response | undefined {
    const answer = this.#stored.get(view.number)?.answer;
    if (answer === undefined) return undefined;
    const { status, headers, body } = answer;
    return new Response(isBodiless(status) ? null : body, { status, headers });
  }

  #changed(changes: readonly Change[]): void {
    for (const { kind, queue, number } of changes) {
      if (queue !== this.#queue) continue;
      if (kind === "forgotten") this.#stored.delete(number);
      if (kind === "admitted") this.#send(number);
      if (kind === "released") this.#node.clock.after(PAUSE_MS, () => this.#send(number));
    }
  }

  #send(number: number): void {
    const stored = this.#stored.get(number);
    if (stored === undefined) return;
    const sending = this.#sendOnce(number, stored).finally(() => {
      if (stored.sending === sending) stored.sending = undefined;
    });
    stored.sending = sending;
  }

  async #sendOnce(number: number, stored: Stored): Promise<void> {
    // Not in the midst of the record that admits it.
    await Promise.resolve();
    const active = this.#node.queue(this.#queue).activeTicket(number);
    if (active === undefined || active.claim !== undefined) return;
    const attempt = active.attempt + 1;
    const claim = { queue: this.#queue, number, attempt };
    const idempotent = SAFE.has(stored.request.method);
    const wish = { kind: "dispatch_claimed", ...claim, timeout_ms: TIMEOUT_MS, idempotent } as const;
    if (this.#node.append(wish).kind !== "applied") return;
    const release = (reason: ReleaseReason): void => {
      this.#node.append({ kind: "claim_released", ...claim, not_before_ms: 0, reason });
    };
    try {
      const response = await this.#service(stored.request.clone());
      const body = new Uint8Array(await response.arrayBuffer());
      if (REFUSALS.has(response.status)) return release("refused");
      stored.answer = { status: response.status, headers: new Headers(response.headers), body };
    } catch {
      return release("lost");
    }
    this.#node.append({ kind: "request_answered", ...claim, status: stored.answer.status });
  }
}

function isBodiless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}
