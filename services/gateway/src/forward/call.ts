// One request at a service, from its first byte to the end of its answer, or to whatever happened instead.
//
//   connecting ──> waiting ──> answering ──> ended
//       └─────────────┴────────────┴───────> failed
//
// Nothing of the request has left while it is connecting, so it may be sent again from there. From `waiting` on, the
// service may have got it, and only the service knows.

import type { Socket } from "node:net";
import type { Dispatcher } from "undici";
import type { Lines } from "../listener/exchange.ts";
import { ObservedCall } from "../observe/call.ts";
import { onConnection } from "./connections.ts";
import type { Outgoing, Service } from "./service.ts";

export type Stage = "connecting" | "waiting" | "answering";

/** - `not_connected`: surely nothing was sent.
 * - `lost`: something may have been sent, and the connection broke, or what came was not HTTP.
 * - `timed_out`: at any stage; nothing was sent while connecting. */
export interface Failure {
  readonly kind: "not_connected" | "lost" | "timed_out";
  readonly stage: Stage;
  /** Whether a byte of the request may have reached the service. */
  readonly sent: boolean;
  /** Whether the connection had carried a request before, and broke without a byte of this one's answer: most likely the
   * service closed it for being idle, just as the request was written to it. It may have been read all the same. */
  readonly stale: boolean;
  readonly error: Error;
}

/** There are as many requests at the service as there may be. */
export class ServiceFull extends Error {
  override readonly name = "ServiceFull";

  constructor(service: Service) {
    super(`service ${service.name} has ${service.limits.connections} requests in flight`);
  }
}

/** The head of an answer. */
export interface Head {
  readonly status: number;
  readonly message: string;
  /** Flat, as they came, one char a byte. */
  readonly lines: Lines;
}

/** `onEnd` or `onFailure` is the last call. After `Call.abort` there is none. */
export interface CallEvents {
  /** The request begins to be sent. */
  onSent?(): void;
  /** A 1xx. */
  onInformation?(head: Head): void;
  onHead(head: Head): void;
  /** In place of a head: the connection goes on in the protocol that was asked for. It is the listener's to close; the
   * call ends with it, without another event. */
  onUpgrade?(head: Head, socket: Socket): void;
  onData(chunk: Buffer): void;
  onEnd(trailers: Lines): void;
  onFailure(failure: Failure): void;
}

/** In milliseconds. Absent: for ever. */
export interface Timeouts {
  /** From now to the end of the answer. */
  readonly whole_ms?: number;
  /** From now to the answer's head. */
  readonly head_ms?: number;
  /** How long nothing may come of an answer with this head, while it is taken. */
  readonly silence_ms?: (head: Head) => number;
}

export class Call implements Dispatcher.DispatchHandler {
  readonly #service: Service;
  readonly #events: CallEvents;
  readonly #timeouts: Timeouts;
  readonly #observed: ObservedCall;
  readonly #timers: NodeJS.Timeout[] = [];
  /** Runs while the service has the word. */
  #silence: NodeJS.Timeout | undefined;
  #silence_ms = Number.POSITIVE_INFINITY;
  /** Pieces of the answer that have come. */
  #heard = 0;
  #controller: Dispatcher.DispatchController | undefined;
  #stage: Stage = "connecting";
  #reused = false;
  /** A byte of an answer has come. */
  #begun = false;
  /** No event is told any more. */
  #over = false;
  /** undici has done with it. */
  #left = false;
  /** The answer ends with the connection, so that only the way it ends tells whether it is whole. */
  #untilClose = false;

  /** Sends at once. */
  constructor(service: Service, request: Outgoing, timeouts: Timeouts, events: CallEvents) {
    this.#service = service;
    this.#events = events;
    this.#observed = new ObservedCall(service, request);
    this.#timeouts = timeouts;
    const { whole_ms, head_ms } = timeouts;
    if (whole_ms !== undefined)
      this.#within(whole_ms, () => this.#onTimeout(`no answer within ${whole_ms} ms`));
    if (head_ms !== undefined)
      this.#within(head_ms, () => {
        if (this.#stage !== "answering") this.#onTimeout(`no answer within ${head_ms} ms`);
      });
    if (service.full) {
      queueMicrotask(() => this.#fail("not_connected", new ServiceFull(service)));
    } else {
      service.dispatch(this.#observed.request, this);
    }
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Whether a byte of the request may have reached the service. */
  get sent(): boolean {
    return this.#stage !== "connecting";
  }

  /** Gives up: no event comes any more, and the connection is closed, so that the service may notice. */
  abort(reason: Error): void {
    this.#finish();
    this.#controller?.abort(reason);
  }

  /** Takes no more of the answer for now. */
  pause(): void {
    clearTimeout(this.#silence);
    this.#controller?.pause();
  }

  resume(): void {
    if (this.#stage === "answering" && !this.#over) this.#listen();
    this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) {
      // Given up while connecting: before a byte of it is written.
      controller.abort(new Error("given up"));
      return;
    }
    this.#stage = "waiting";
    onConnection((reused) => {
      this.#reused = reused;
    });
    this.#events.onSent?.();
  }

  onResponseStarted(): void {
    this.#begun = true;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    message = "",
  ): void {
    if (this.#over) return;
    const head = { status, message, lines: linesOf(controller.rawHeaders) };
    if (status < 200) {
      this.#events.onInformation?.(head);
      return;
    }
    const { length, coding } = framing(head.lines);
    if (coding !== undefined && coding !== "chunked")
      throw new Error(`transfer coding ${coding} is not known`);
    this.#untilClose = length === undefined && coding === undefined;
    this.#observed.answered(status);
    // Where the head cannot be passed on, nothing of an answer has begun.
    this.#events.onHead(head);
    this.#stage = "answering";
    this.#silence_ms = this.#timeouts.silence_ms?.(head) ?? Number.POSITIVE_INFINITY;
    this.#listen();
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    socket: Socket,
  ): void {
    socket.once("close", () => this.#leave());
    if (this.#over || this.#events.onUpgrade === undefined) {
      socket.destroy();
      return;
    }
    this.#stage = "answering";
    this.#observed.answered(status);
    this.#observed.end("whole");
    this.#finish();
    this.#events.onUpgrade({ status, message: "", lines: linesOf(controller.rawHeaders) }, socket);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    this.#heard += 1;
    this.#silence?.refresh();
    this.#events.onData(chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.#leave();
    if (this.#over) return;
    if (this.#untilClose && this.#service.resetting) {
      this.#fail("lost", new Error("the connection was reset before the answer's end"));
      return;
    }
    this.#observed.end("whole");
    this.#finish();
    this.#events.onEnd(linesOf(controller.rawTrailers));
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#leave();
    if (this.#over) return;
    if (this.sent) this.#fail("lost", error);
    else this.#fail(isConnectTimeout(error) ? "timed_out" : "not_connected", error);
  }

  /** Once: undici calls `onResponseError`, too, where `onResponseEnd` throws. */
  #leave(): void {
    if (!this.#left) this.#service.over();
    this.#left = true;
  }

  /** A process that was stopped, or busy, hears its timers before its sockets: an answer that has come by then is
   * looked at first, or it would be called unknown. Not so a connection, which would be sent the request too late. */
  #within(ms: number, onTimeout: () => void): void {
    const timer = setTimeout(() => (this.sent ? setImmediate(onTimeout) : onTimeout()), ms);
    this.#timers.push(timer);
  }

  /** Counts the silence from now on. */
  #listen(): void {
    clearTimeout(this.#silence);
    if (this.#silence_ms === Number.POSITIVE_INFINITY) return;
    this.#silence = setTimeout(() => {
      const heard = this.#heard;
      setImmediate(() => {
        if (heard === this.#heard)
          this.#onTimeout(`nothing more of the answer within ${this.#silence_ms} ms`);
      });
    }, this.#silence_ms);
  }

  #onTimeout(text: string): void {
    if (this.#over) return;
    const error = new Error(text);
    this.#fail("timed_out", error);
    this.#controller?.abort(error);
  }

  #fail(kind: Failure["kind"], error: Error): void {
    if (this.#over) return;
    this.#observed.end(kind);
    this.#finish();
    const stale = kind === "lost" && this.#reused && !this.#begun;
    this.#events.onFailure({ kind, stage: this.#stage, sent: this.sent, stale, error });
  }

  #finish(): void {
    this.#over = true;
    this.#observed.end("given_up");
    clearTimeout(this.#silence);
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

function isConnectTimeout(error: Error): boolean {
  return "code" in error && error.code === "UND_ERR_CONNECT_TIMEOUT";
}

type Raw = Dispatcher.DispatchController["rawHeaders"];

function linesOf(raw: Raw): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((text) => (typeof text === "string" ? text : text.toString("latin1")));
}

function framing(lines: Lines): { length: string | undefined; coding: string | undefined } {
  let length: string | undefined;
  let coding: string | undefined;
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const name = lines[i]!.toLowerCase();
    if (name === "content-length") length = lines[i + 1];
    else if (name === "transfer-encoding")
      coding = `${coding === undefined ? "" : `${coding},`}${lines[i + 1]}`;
  }
  return { length, coding: coding?.trim().toLowerCase() };
}
