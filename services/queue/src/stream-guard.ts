// StreamGuard: stands before grpc-js. A call that is not well-formed is answered here; one that is too slow, in its
// request or in taking its answer, is ended.
//
//   opened -> (refused | grpc-js) -> whole request within request_ms -> ended within total_ms, if there is one

import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { type Metadata, ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import { UsherError } from "@usher/replica";
import { statusOf } from "./errors.ts";
import type { Limits } from "./limits.ts";
import type { ObserveCall, ObservedCall } from "./observed.ts";
import { type CallPolicy, check, isRefusal, normalise, type Refusal } from "./request-check.ts";
import type { SessionGuard } from "./session-guard.ts";

interface OpenStream {
  /** Milliseconds on the monotonic clock. */
  readonly opened: number;
  readonly policy: CallPolicy;
}

export class StreamGuard {
  readonly #policies: ReadonlyMap<string, CallPolicy>;
  readonly #sessions: SessionGuard;
  readonly #metadata_bytes: number;
  /** Calls that something may still have to be done about: at most `streams` a connection. */
  readonly #open = new Map<ServerHttp2Stream, OpenStream>();
  readonly #streamOf = new WeakMap<Metadata, ServerHttp2Stream>();
  readonly #observe: ObserveCall;
  readonly #within = new WeakMap<ServerHttp2Stream, NonNullable<ObservedCall["within"]>>();
  #opening: ServerHttp2Stream | undefined;
  #sweeping: NodeJS.Timeout | undefined;

  constructor(
    policies: ReadonlyMap<string, CallPolicy>,
    sessions: SessionGuard,
    limits: Limits,
    observe: ObserveCall = () => undefined,
  ) {
    this.#policies = policies;
    this.#sessions = sessions;
    this.#metadata_bytes = limits.metadata_bytes;
    this.#observe = observe;
  }

  /** Tells which stream a call's metadata came on, which grpc-js keeps to itself. */
  readonly interceptor: ServerInterceptor = (_method, call) => {
    const stream = this.#opening;
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            if (stream !== undefined) {
              this.#streamOf.set(metadata, stream);
            }
            pass(metadata);
          },
          onReceiveMessage: (message, pass) => pass(message),
          onReceiveHalfClose: (pass) => pass(),
          onCancel: () => {},
        }),
    });
  };

  /** Takes the place of grpc-js's own listener, which is called for what passes. */
  watch(http2: Http2Server, interval_ms: number): void {
    const [handOver] = http2.listeners("stream");
    if (handOver === undefined) {
      throw new Error("grpc-js does not listen for streams");
    }
    http2.removeAllListeners("stream");
    http2.on("stream", (stream, headers, ...rest) => {
      if (this.#opened(stream, headers)) {
        this.#opening = stream;
        Reflect.apply(handOver, http2, [stream, headers, ...rest]);
        this.#opening = undefined;
      }
    });
    this.#sweeping = setInterval(() => this.#sweep(), interval_ms).unref();
  }

  /** Takes a call's stream away. */
  reset(metadata: Metadata): void {
    this.#streamOf.get(metadata)?.close(constants.NGHTTP2_CANCEL);
  }

  /** Runs what answers a call. */
  within<T>(metadata: Metadata, work: () => T): T {
    const stream = this.#streamOf.get(metadata);
    const within = stream && this.#within.get(stream);
    return within === undefined ? work() : within(work);
  }

  /** Ends the calls that would not end by themselves. */
  endTools(): void {
    for (const [stream, { policy }] of this.#open) {
      if (policy.tool) {
        end(stream, { grpc: status.UNAVAILABLE, message: "the server shuts down" });
      }
    }
  }

  close(): void {
    clearInterval(this.#sweeping);
  }

  #opened(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    const answer = check(headers, this.#policies, this.#metadata_bytes);
    if (!("http" in answer)) this.#watchCall(stream, headers);
    if (isRefusal(answer)) {
      stream.on("error", () => {});
      end(stream, answer);
      return false;
    }
    this.#open.set(stream, { opened: performance.now(), policy: answer });
    stream.once("close", () => this.#open.delete(stream));
    this.#sessions.called(stream.session as Parameters<SessionGuard["called"]>[0]);
    normalise(headers);
    return true;
  }

  #watchCall(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const path = headers[":path"] ?? "";
    const observed = this.#observe(this.#policies.has(path) ? path.slice(1) : undefined, headers);
    if (observed === undefined) return;
    if (observed.within !== undefined) this.#within.set(stream, observed.within);
    stream.once("close", () => observed.ended(codeSent(stream)));
  }

  #sweep(): void {
    const now = performance.now();
    for (const [stream, { opened, policy }] of this.#open) {
      const age = now - opened;
      if (age >= policy.request_ms && !stream.readableEnded) {
        end(stream, { grpc: status.DEADLINE_EXCEEDED, message: "the request did not come in time" });
      } else if (policy.total_ms !== undefined && age >= policy.total_ms) {
        end(stream, { grpc: status.DEADLINE_EXCEEDED, message: "the call took too long" });
      } else if (stream.readableEnded && policy.total_ms === undefined && !policy.tool) {
        this.#open.delete(stream);
      }
    }
  }
}

/** Sends the status, as trailers or as headers where none went out yet, and closes the stream after it, so that a client
 * that goes on sending is not listened to. One that takes nothing any more is cut. */
function end(stream: ServerHttp2Stream, refusal: Refusal): void {
  if (stream.destroyed || stream.closed) {
    return;
  }
  if (stream.writableNeedDrain || stream.writableEnded) {
    stream.close(constants.NGHTTP2_CANCEL);
    return;
  }
  if ("http" in refusal) {
    stream.respond({ ":status": refusal.http }, { endStream: true });
    stream.close(constants.NGHTTP2_NO_ERROR);
    return;
  }
  const trailers = {
    "grpc-status": refusal.grpc,
    "grpc-message": encodeURI(refusal.message),
    ...detailsOf(refusal.grpc, refusal.message),
  };
  if (stream.headersSent) {
    const send = stream.sendTrailers.bind(stream);
    // grpc-js may come to an end of its own before these are gone, and a second status is an error that nobody catches.
    stream.sendTrailers = () => {};
    stream.once("wantTrailers", () => {
      send(trailers);
      // At once, it would overtake them.
      setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
    });
    stream.end();
  } else {
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...trailers }, { endStream: true });
    stream.close(constants.NGHTTP2_NO_ERROR);
  }
}

/** Why, as `google.rpc.ErrorInfo`, by what the rules answer with. */
const REASONS: Readonly<Partial<Record<status, UsherError["reason"]>>> = {
  [status.UNIMPLEMENTED]: "NOT_IMPLEMENTED",
  [status.INVALID_ARGUMENT]: "INVALID_FIELD",
  [status.RESOURCE_EXHAUSTED]: "TOO_LARGE",
  [status.DEADLINE_EXCEEDED]: "DEADLINE_EXCEEDED",
  [status.UNAVAILABLE]: "NOT_READY",
};

function detailsOf(code: status, message: string): OutgoingHttpHeaders {
  const reason = REASONS[code];
  if (reason === undefined) return {};
  const { metadata } = statusOf(new UsherError(reason, message), new Headers(), () => {});
  return metadata?.toHttp2Headers?.() ?? {};
}

/** The status with which the call was answered. */
function codeSent({ sentTrailers, sentHeaders }: ServerHttp2Stream): number {
  const sent = sentTrailers?.["grpc-status"] ?? sentHeaders?.["grpc-status"];
  return sent === undefined ? status.CANCELLED : Number(sent);
}
