// A ticket as a resource over HTTP: followed by server-sent events (HTML, 9.2), or by asking; and what it leads to.

import type { RetryBudget } from "../calls/budget.ts";
import type { Clock } from "../calls/clock.ts";
import { backoff_ms, pause } from "../calls/pause.ts";
import { UsherError } from "../errors.ts";
import type { Source } from "../following/follow.ts";
import type { Watched } from "../rpc/rpc.ts";
import type { Status } from "../status.ts";
import { errorOf, jsonOf, problemIn, retryAfter_ms, statusIn, textOf } from "./answers.ts";
import type { Repeatable } from "./request.ts";
import { timed } from "./timed.ts";

/** No event comes near it, in characters. */
const EVENT_LENGTH_MAX = 64 * 1024;

/** How often the answer is asked for, when nobody says what it is. */
const ANSWER_ATTEMPTS = 10;

const JSON_ONLY = { accept: "application/json" } as const;
const ANYTHING = { accept: "application/json, */*" } as const;

export interface PlaceOptions {
  readonly request: Repeatable;
  readonly send: typeof fetch;
  readonly clock: Clock;
  /** What is known of it already. */
  readonly from: Status | undefined;
}

export class Place implements Source {
  /** Where it is looked at. Secret. */
  readonly url: string;
  readonly #request: Repeatable;
  readonly #send: typeof fetch;
  readonly #clock: Clock;
  #last: Status | undefined;
  #refusal: Response | undefined;

  constructor(url: string, { request, send, clock, from }: PlaceOptions) {
    this.url = url;
    this.#request = request;
    this.#send = send;
    this.#clock = clock;
    this.#last = from;
  }

  /** The ticket's id; absent while nothing is known of it. */
  get ticket(): string | undefined {
    return this.#last?.id || undefined;
  }

  /** What the gateway said when it knew of no such ticket, or of none any more. */
  get refusal(): Response | undefined {
    return this.#refusal;
  }

  async *stream(asOf: string, signal: AbortSignal): AsyncGenerator<Watched> {
    const response = await this.#send(this.#at(asOf), {
      ...this.#request.manners,
      headers: { accept: "text/event-stream" },
      redirect: "manual",
      signal,
    });
    if (response.status === 303 || response.type === "opaqueredirect") {
      yield { status: this.#answered() };
      return;
    }
    if (!response.headers.get("content-type")?.startsWith("text/event-stream") || response.body === null)
      throw await this.#strange(response);
    let retry_ms: number | undefined;
    for await (const { data, retry } of events(response.body)) {
      retry_ms = retry ?? retry_ms;
      const status = data === undefined ? undefined : statusIn(parsed(data));
      if (status !== undefined) this.#last = status;
      yield status === undefined ? {} : { status };
    }
    // In order, and not at the ticket's end: the node shuts down, and has said when to come back.
    if (retry_ms !== undefined) yield { reconnectAfter: retry_ms };
  }

  async ask(asOf: string, signal: AbortSignal | undefined): Promise<Status> {
    const init = { headers: JSON_ONLY, redirect: "manual" } as const;
    return this.#timed(this.#at(asOf), init, signal, async (response) => {
      if (response.status === 303 || response.type === "opaqueredirect") return this.#answered();
      const status = response.ok ? statusIn(await jsonOf(response.clone())) : undefined;
      if (status === undefined) throw await this.#strange(response);
      this.#last = status;
      return status;
    });
  }

  /** What is there at the end: the service's answer to a stored request, or honestly what became of the ticket. */
  async answer(budget: RetryBudget): Promise<Response> {
    const { signal, redirect = "follow", method } = this.#request;
    // Only what has no body may be asked for without one.
    const asked = { headers: ANYTHING, redirect, method: method === "HEAD" ? "HEAD" : "GET" };
    const url = this.#last?.requestState === undefined ? this.url : `${this.url}/response`;
    for (let tries = 1; ; tries++) {
      try {
        const [response, problem] = await this.#timed(url, asked, signal, async (response) => [
          response,
          await problemIn(response),
        ]);
        if (!problem?.retryable || tries >= ANSWER_ATTEMPTS) return response;
        await pause(backoff_ms(tries, retryAfter_ms(response)), signal, this.#clock);
      } catch (error) {
        if (signal?.aborted || tries >= ANSWER_ATTEMPTS || !budget.spend()) throw error;
        await pause(backoff_ms(tries), signal, this.#clock);
      }
    }
  }

  /** Gives the place up: also while the page is being closed. */
  async leave(): Promise<void> {
    await this.#timed(this.url, { method: "DELETE", keepalive: true }, undefined, async () => {});
  }

  #at(asOf: string): string {
    return `${this.url}?as_of=${asOf}`;
  }

  #timed<A>(
    url: string,
    init: RequestInit,
    signal: AbortSignal | undefined,
    read: (response: Response) => Promise<A>,
  ): Promise<A> {
    const [send, clock] = [this.#send, this.#clock];
    return timed(url, { ...this.#request.manners, ...init }, { send, clock, signal }, read);
  }

  /** The gateway leads on to the answer: the request has ended. */
  #answered(): Status {
    const ended = { state: "completed", requestState: "answered" } as const;
    const before = this.#last ?? { id: "", queue: "", number: 0, stale: false, asOf: "0" };
    const { position, retryAfter, waitP50, waitP90, ...kept } = { position: 0, ...before } as Status;
    this.#last = { ...kept, ...ended };
    return this.#last;
  }

  /** What an answer means that tells of no place. */
  async #strange(response: Response): Promise<UsherError> {
    const text = await textOf(response);
    const document = parsed(text);
    const error = errorOf(document, response);
    const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json");
    if (error?.retryable) return error;
    if (error === undefined && !isProblem) {
      const retryable = response.status >= 500 || response.status === 429 || response.status === 408;
      const what = `the ticket was answered with ${response.status}, which tells of no place`;
      return new UsherError("unexpected_answer", `${what}: is there a proxy in between?`, {
        retryAfter: retryAfter_ms(response),
        kind: { retryable },
      });
    }
    const { status, headers } = response;
    this.#refusal = new Response(text, { status, headers });
    return error ?? new UsherError("not_admitted", `the ticket has ended: ${text}`);
  }
}

interface Event {
  readonly data?: string;
  readonly retry?: number;
}

/** Yields an empty one for a comment: a sign of life. */
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<Event> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      if (rest.length > EVENT_LENGTH_MAX) throw new UsherError("unexpected_answer", "an event has no end");
      for (const block of blocks) yield eventOf(block.split(/\r?\n/));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function eventOf(lines: readonly string[]): Event {
  const fields = (name: string): string[] =>
    lines
      .filter((line) => line.startsWith(`${name}:`))
      .map((line) => line.slice(name.length + 1).trimStart());
  const data = fields("data");
  const retry = Number(fields("retry").at(-1) ?? "none");
  return {
    ...(data.length > 0 && { data: data.join("\n") }),
    ...(!Number.isNaN(retry) && { retry }),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
