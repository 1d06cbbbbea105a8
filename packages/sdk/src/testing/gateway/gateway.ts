// A `fetch` to a service that stands behind a gateway: requests wait in a queue in front of it, and are answered as the
// gateway answers them.
//
//   requests.ts   stored requests, sent at their turn    answers.ts   what the gateway says itself
//   tickets.ts    a ticket as a resource                 straight.ts  who goes straight through
//   kept.ts       where a request is, for who lost the answer

import { UsherError } from "../../errors.ts";
import type { Failures } from "../failures.ts";
import type { Place, TestNode } from "../node.ts";
import { problem, problemOf, statusAnswer, ticketLocation, waitingAnswer } from "./answers.ts";
import { answerKept, asksKept } from "./kept.ts";
import { type Service, StoredRequests } from "./requests.ts";
import { StraightThrough } from "./straight.ts";
import { answerEnd, answerTicket, isTicket } from "./tickets.ts";

/** As the gateway takes them for keys of their own: printable, and not to be guessed. */
const KEY = /^[\x20-\x7e]{22,255}$/;

/** A visitor's secret: 16 bytes in base64url. */
const VISITOR = /^[A-Za-z0-9_-]{22}$/;

/** What the answers to people depend on. */
const VARY = "Cookie, Accept, Accept-Language";

export class TestGateway {
  readonly #node: TestNode;
  readonly #failures: Failures;
  readonly #queue: string;
  readonly #service: Service;
  readonly #requests: StoredRequests;
  readonly #straight: StraightThrough;

  constructor(node: TestNode, failures: Failures, queue: string, service: Service) {
    this.#node = node;
    this.#failures = failures;
    this.#queue = queue;
    this.#service = service;
    this.#requests = new StoredRequests(node, queue, service);
    this.#straight = new StraightThrough(node.clock);
  }

  /** Rejects as the global one does: with the signal's reason, and with a `TypeError` where nobody answers. */
  async fetch(request: Request): Promise<Response> {
    request.signal.throwIfAborted();
    const failure = this.#failures.meet("fetch");
    const answer = failure === undefined || failure.carriedOut ? await this.#answer(request) : undefined;
    request.signal.throwIfAborted();
    if (failure === undefined && answer !== undefined) return answer;
    const refusal = failure?.error && problemOf(failure.error);
    if (refusal === undefined) throw new TypeError("fetch failed", { cause: failure?.error });
    return refusal;
  }

  async #answer(request: Request): Promise<Response> {
    try {
      if (asksKept(request))
        return await answerKept(this.#node, this.#requests, request, this.#known(request));
      if (isTicket(request)) return followed(request, (one) => answerTicket(this.#node, this.#requests, one));
      return this.#isForPeople ? await this.#pass(request) : await this.#defer(request);
    } catch (error) {
      const refusal = error instanceof UsherError ? problemOf(error) : undefined;
      if (refusal === undefined) throw error;
      if (!isTicket(request) && this.#isForPeople) refusal.headers.set("vary", VARY);
      return refusal;
    }
  }

  get #isForPeople(): boolean {
    return this.#node.queue(this.#queue).settings.kind === "pass";
  }

  /** The person waits: whoever has a pass goes on, and all others are told of their place. */
  async #pass(request: Request): Promise<Response> {
    const node = this.#node;
    const presented = request.headers.get("usher-pass") ?? "";
    const held = node.heldBy(this.#queue, presented);
    if (held !== undefined) return this.#admit(held, request, presented);
    const said = request.headers.get("usher-visitor");
    if (said !== null && !VISITOR.test(said))
      return problem("request_malformed", "usher-visitor takes 16 random bytes in base64url, 22 characters");
    const subject = node.secrets.identity("visitor", [this.#queue, secretOf(request)]);
    const queue = node.queue(this.#queue);
    const known = queue.bySubject(subject);
    if (known === undefined && queue.settings.mode === "open") return ofService(await this.#service(request));
    const place =
      known === undefined
        ? node.issue({ queue: queue.name, subject, stored_request: false })
        : node.place(queue.name, known);
    if (place.view.state === "admitted") return this.#admit(place, request, presented);
    const answer = waitingAnswer(node, place);
    answer.headers.set("vary", VARY);
    return answer;
  }

  async #admit(place: Place, request: Request, presented: string): Promise<Response> {
    const { pass = "" } = this.#node.status(place);
    const headers = new Headers(request.headers);
    headers.set("usher-pass", pass);
    headers.set("usher-ticket", `${place.view.number}`);
    const response = ofService(await this.#service(new Request(request, { headers })));
    if (pass !== presented) {
      response.headers.set("usher-pass", pass);
      response.headers.append("cache-control", "private");
      response.headers.append("vary", "Cookie");
    }
    return response;
  }

  /** The request waits: it is stored, and sent at its turn. Where that is at once, it is answered at once. */
  async #defer(request: Request): Promise<Response> {
    const node = this.#node;
    const queue = node.queue(this.#queue);
    const { method, url } = request;
    const body = new Uint8Array(await request.clone().arrayBuffer());
    const key = this.#keyOf(request);
    const send = async () => ofService(await this.#service(request));
    const straight = this.#known(request) ? undefined : await this.#straight.pass(queue, send);
    if (straight !== undefined) return straight;
    const place = node.issue({
      queue: queue.name,
      ...(key !== undefined && {
        key,
        digest: node.secrets.digest([method, url, Buffer.from(body).toString("base64")]),
      }),
      stored_request: true,
    });
    if (!place.existing) this.#requests.take(place, request, body);
    await this.#requests.underWay(place);
    const now = node.again(place);
    if (now.view.position === undefined) return answerEnd(this.#requests, now);
    return statusAnswer(node, now, 202, {
      location: ticketLocation(node, now),
      "usher-idempotency-key": this.#requests.keyOf(now) ?? "",
    });
  }

  /** What the request's own key is in the queue; absent where it has none that a ticket could have. */
  #keyOf({ headers }: Request): Uint8Array | undefined {
    const said = headers.get("idempotency-key") ?? "";
    return KEY.test(said) ? this.#node.secrets.identity("key", [this.#queue, "", said]) : undefined;
  }

  /** The ticket that has the request's key. */
  #known(request: Request): Place | undefined {
    const key = this.#keyOf(request);
    const found = key && this.#node.queue(this.#queue).byKey(key, undefined);
    return found && this.#node.place(this.#queue, found.number);
  }
}

/** What tells who asks: a secret that was said, or a key that nobody guesses; else it is somebody new. */
function secretOf({ headers }: Request): string {
  const said = headers.get("usher-visitor");
  if (said !== null) return `cookie:${said}`;
  const key = headers.get("idempotency-key") ?? "";
  return KEY.test(key) ? `key:${key}` : `cookie:${crypto.randomUUID()}`;
}

/** What leads on to a ticket's answer is followed, as `fetch` does where nothing else is said. */
function followed(request: Request, answer: (request: Request) => Response): Response {
  const first = answer(request);
  const location = first.headers.get("location");
  if (first.status !== 303 || location === null || request.redirect !== "follow") return first;
  return answer(new Request(new URL(location, request.url), request));
}

/** A service's answer, without the headers that are the gateway's own. */
function ofService(response: Response): Response {
  const headers = new Headers(response.headers);
  for (const name of [...headers.keys()]) if (name.startsWith("usher-")) headers.delete(name);
  const { status, statusText, body } = response;
  return new Response(body, { status, statusText, headers });
}
