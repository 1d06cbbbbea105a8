// On to a service and back: a request and its answer, streamed, or a stored one sent whole.
//
//   forward.ts   streams a request to a service, and its answer to the client
//   send.ts      sends a stored request, and keeps the answer
//   call.ts      one request at a service, and what became of it: both of the above are its listeners
//   service.ts   a service's address, and the connections to it
//   connections.ts  which connection a call is sent on
//   headers.ts   what headers become on their way
//   tunnel.ts    a connection that goes on in another protocol
//   upload.ts    a body on its way from the client to the service
//   delivery.ts  an answer on its way to the client, who may take it slowly
//   limits.ts    every limit, with unit and reason

import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import {
  cut,
  type EdgeRequest,
  type EdgeResponse,
  hasBody,
  isGone,
  isHttp1,
  type Lines,
  lineOf,
} from "../listener/exchange.ts";
import { lingerAfterEnd, pairs } from "../listener/linger.ts";
import { answerProblem, type Problem, problem } from "../listener/problem.ts";
import { type Upgrade, upgradeOf } from "../listener/upgrade.ts";
import { observeSwitch } from "../observe/request.ts";
import { Call, type Failure, type Head, ServiceFull, type Stage, type Timeouts } from "./call.ts";
import { Delivery } from "./delivery.ts";
import { answerLines, type Pair, requestHeaders, takeHeaders, trailerPairs } from "./headers.ts";
import type { Service } from "./service.ts";
import { agree, join, protocolOf } from "./tunnel.ts";
import { Upload } from "./upload.ts";

/** Early hints that are passed on for one request; 16. Nobody needs as many, and they pile up before a client that takes
 * none. */
const HINTS_MAX = 16;

export interface ForwardOptions {
  readonly service: Service;
  /** How long the service may take until its answer begins, in milliseconds. The answer may take as long as it will. */
  readonly timeout_ms: number;
  /** How long the service may then be silent, in milliseconds; by default a minute, and an hour in a stream of events or
   * where the connection goes on in another protocol. */
  readonly silence_ms?: number | undefined;
  /** For how long the client may hold the answer up while it takes next to nothing of it, in milliseconds altogether; by
   * default for as long as it will. */
  readonly slow_ms?: number | undefined;
  /** Headers for the service, beside the client's own, such as `Usher-Ticket`. */
  readonly headers?: readonly Pair[];
  /** Headers for the client, beside the service's own. */
  readonly answerHeaders?: readonly Pair[];
  /** The body, where it has been read already. */
  readonly body?: Uint8Array;
  /** Whether the request may be carried out twice without harm; default: not. Then it is sent once more where its
   * connection had been idle and broke without a word, if there is nothing of it that only its client has. */
  readonly idempotent?: boolean;
  /** Told when the answer has begun, or the connection goes on in another protocol, with what breaks that off: not to be
   * called after its end. */
  readonly onAnswer?: (breakOff: () => void) => void;
}

/** What became of a request that was sent straight on. The client has been answered, or could not be.
 * - `answered`: the whole answer came, whatever its status, and was handed to the client's connection.
 * - `client_gone`: before that.
 * - `broken_off`: by whoever sent it on, or because its client took it too slowly; the client got a cut one.
 * - the others: see `Failure`; the client got a problem, or a cut answer where one had begun. */
export type ForwardOutcome =
  | { readonly kind: "answered"; readonly status: number }
  | { readonly kind: "client_gone"; readonly stage: Stage; readonly sent: boolean }
  | { readonly kind: "broken_off"; readonly status: number }
  | Failure;

/** Sends a request on, and its answer back, unchanged but for the headers; what has been set on the response before
 * goes with the service's own. A request to go on in another protocol is sent on as one: whether it may be is decided
 * before. Resolves when the service has done with it; never rejects. */
export function forward(
  req: EdgeRequest,
  res: EdgeResponse,
  options: ForwardOptions,
): Promise<ForwardOutcome> {
  if (isGone(res)) return Promise.resolve({ kind: "client_gone", stage: "connecting", sent: false });
  return new Promise((resolve) => new Passage(req, res, options, resolve));
}

class Passage {
  readonly #req: EdgeRequest;
  readonly #res: EdgeResponse;
  /** The same, with only what both protocols have alike. */
  readonly #sink: Writable;
  readonly #options: ForwardOptions;
  readonly #settle: (outcome: ForwardOutcome) => void;
  readonly #upload: Upload | undefined;
  readonly #delivery: Delivery;
  readonly #upgrade: Upgrade | undefined;
  #call: Call;
  #isSecond = false;
  #status = 0;
  #hints = 0;

  constructor(
    req: EdgeRequest,
    res: EdgeResponse,
    options: ForwardOptions,
    resolve: (outcome: ForwardOutcome) => void,
  ) {
    this.#req = req;
    this.#res = res;
    this.#sink = res;
    this.#options = options;
    this.#settle = (outcome) => {
      this.#res.off("close", this.#onClose);
      this.#sink.off("drain", this.#onDrain);
      this.#delivery.over();
      resolve(outcome);
    };
    const { service, body, slow_ms } = options;
    const { limits } = service;
    this.#delivery = new Delivery(res, { most_ms: slow_ms, limits, onSlow: () => this.#breakOff() });
    this.#upgrade = upgradeOf(req);
    if (body === undefined && hasBody(req)) this.#upload = new Upload(req, res, service.limits.upload_bytes);
    this.#call = this.#send();
    res.once("close", this.#onClose);
    this.#sink.on("drain", this.#onDrain);
  }

  #send(): Call {
    const { service, body } = this.#options;
    return new Call(
      service,
      {
        method: this.#req.method ?? "",
        target: this.#req.url ?? "",
        headers: this.#requestLines(),
        body: body ?? this.#upload ?? null,
        upgrade: this.#upgrade?.protocol,
        fresh: this.#isSecond,
      },
      this.#timeouts(),
      {
        onInformation: (head) => this.#onInformation(head),
        onHead: (head) => this.#onHead(head),
        onUpgrade: (head, socket) => this.#onUpgrade(head, socket),
        onData: (chunk) => this.#onData(chunk),
        onEnd: (trailers) => this.#onEnd(trailers),
        onFailure: (failure) => this.#onFailure(failure),
      },
    );
  }

  #requestLines(): string[] {
    const { body, headers = [] } = this.#options;
    const own = requestHeaders(this.#req);
    // A length that was declared for what is no longer streamed is taken from the body itself.
    const kept = body === undefined ? own : own.filter(([name]) => name.toLowerCase() !== "content-length");
    return [...kept, ...headers].flat();
  }

  #timeouts(): Timeouts {
    const { service, timeout_ms, silence_ms } = this.#options;
    const usual = (head: Head) =>
      isEventStream(head) ? service.limits.event_silence_ms : service.limits.silence_ms;
    return { head_ms: timeout_ms, silence_ms: (head) => silence_ms ?? usual(head) };
  }

  #onInformation({ status, lines }: Head): void {
    if (status !== 103 || this.#req.httpVersion === "1.0" || this.#hints === HINTS_MAX) return;
    this.#hints++;
    try {
      this.#res.writeEarlyHints(pairs(answerLines(lines, status)));
    } catch {
      // Node takes no hints but well-formed links. The answer itself is still to come.
    }
  }

  #onHead(head: Head): void {
    this.#status = head.status;
    this.#writeHead(head);
    this.#options.onAnswer?.(() => this.#breakOff());
  }

  #writeHead({ status, message, lines }: Head): void {
    const res = this.#res;
    const headers = this.#answerLines(lines, status);
    if (!isHttp1(res)) {
      res.writeHead(status, pairs(headers));
      return;
    }
    res.writeHead(status, isReason(message) ? message : "", headers);
    // Node keeps the head until there is a body to send with it; where none has come along, the client need not wait.
    queueMicrotask(() => {
      if (!res.writableEnded) res.flushHeaders();
    });
  }

  /** The service's headers, then those set here. */
  #answerLines(lines: Lines, status: number): string[] {
    const set = takeHeaders(this.#res);
    return [...answerLines(lines, status, set), ...set.flat(), ...(this.#options.answerHeaders ?? []).flat()];
  }

  #onUpgrade({ status, lines }: Head, service: Socket): void {
    const { limits } = this.#options.service;
    const client = this.#upgrade;
    if (client === undefined) throw new Error("an upgrade that nobody asked for");
    this.#status = status;
    this.#res.off("close", this.#onClose);
    this.#sink.off("drain", this.#onDrain);
    observeSwitch(this.#res);
    agree(client, protocolOf(lines), this.#answerLines(lines, status));
    this.#options.onAnswer?.(() => void client.socket.destroy());
    void join(client, service, this.#options.silence_ms ?? limits.event_silence_ms).then(() =>
      this.#settle({ kind: "answered", status }),
    );
  }

  #onData(chunk: Buffer): void {
    if (!this.#delivery.write(chunk)) this.#call.pause();
  }

  readonly #onDrain = (): void => {
    this.#delivery.drained();
    this.#call.resume();
  };

  #onEnd(trailers: Lines): void {
    if (trailers.length > 0) this.#addTrailers(trailerPairs(trailers));
    this.#sink.end();
    this.#upload?.destroy();
    lingerAfterEnd(this.#req, this.#res);
    this.#settle({ kind: "answered", status: this.#status });
  }

  #addTrailers(trailers: [string, string][]): void {
    try {
      if (isHttp1(this.#res)) this.#res.addTrailers(trailers);
      else this.#res.addTrailers(pairs(trailers.flat()));
    } catch {
      // What Node takes for no header is left out; the answer itself is whole.
    }
  }

  #onFailure(last: Failure): void {
    // Where it was sent twice, it may have been got the first time, whatever became of the second.
    const failure: Failure =
      this.#isSecond && !last.sent ? { ...last, kind: "lost", stage: "waiting", sent: true } : last;
    const gone = isGone(this.#res);
    if (failure.stale && !gone && this.#mayRepeat()) {
      this.#isSecond = true;
      this.#call = this.#send();
      return;
    }
    const starved = this.#upload?.isStarved ?? false;
    this.#upload?.destroy();
    this.#settle(gone ? { kind: "client_gone", stage: failure.stage, sent: failure.sent } : failure);
    if (gone) return;
    if (failure.stage === "answering") cut(this.#res);
    else answerProblem(this.#req, this.#res, this.#explain(failure, starved));
  }

  /** Strictly: once, and whole. */
  #mayRepeat(): boolean {
    return !this.#isSecond && this.#options.idempotent === true && this.#upload === undefined;
  }

  #explain({ kind, stage, error }: Failure, starved: boolean): Problem {
    switch (kind) {
      case "not_connected":
        if (error instanceof ServiceFull) return problem("service_overloaded", "come again in a moment", 1);
        return problem("service_unreachable", "nothing was sent to it, so it is safe to try again", 1);
      case "lost":
        return problem("service_lost", "it may have carried the request out, or not");
      case "timed_out":
        if (stage === "connecting")
          return problem("service_timeout", "it could not be reached in time; nothing was sent to it", 1);
        if (starved)
          return problem("request_too_slow", "the service was there, but the request's body was not");
        return problem("service_timeout", "it may have carried the request out, or not");
    }
  }

  #breakOff(): void {
    this.#call.abort(new Error("the answer was broken off"));
    this.#upload?.destroy();
    this.#settle({ kind: "broken_off", status: this.#status });
    cut(this.#res);
  }

  /** The response is closed: by its client, since nothing here has ended it. */
  readonly #onClose = (): void => {
    const { stage } = this.#call;
    const sent = this.#isSecond || this.#call.sent;
    this.#call.abort(new Error("the client went away"));
    this.#upload?.destroy();
    this.#settle({ kind: "client_gone", stage, sent });
  };
}

function isEventStream({ lines }: Head): boolean {
  return /^text\/event-stream\b/i.test(lineOf(lines, "content-type") ?? "");
}

/** Whether it may stand in a status line; Node throws where it may not. */
function isReason(message: string): boolean {
  return /^[\t -~\u0080-\u00ff]*$/.test(message);
}
