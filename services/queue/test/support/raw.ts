// A client that speaks HTTP/2 itself, to send what no gRPC client would.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import { onTestFinished } from "vitest";

export interface RawAnswer {
  /** The HTTP status; undefined if the stream ended without. */
  readonly http: number | undefined;
  /** gRPC's status, from trailers or headers. */
  readonly grpc: number | undefined;
  readonly message: string | undefined;
  readonly headers: Record<string, unknown>;
  /** Bytes of the body. */
  readonly bytes: number;
  /** The code of HTTP/2 that the stream was reset with; 0 for none. */
  readonly reset: number;
}

export const ISSUE = "/usher.queue.v1.QueueService/Issue";
export const WATCH = "/usher.queue.v1.QueueService/WatchPosition";

/** A message as gRPC frames it; `size` lies about its length. */
export function frame(message: Uint8Array, options: { compressed?: boolean; size?: number } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(options.compressed ? 1 : 0, 0);
  head.writeUInt32BE(options.size ?? message.byteLength, 1);
  return Buffer.concat([head, message]);
}

export class RawConnection {
  readonly session: ClientHttp2Session;

  /** Closes with the test. `initialWindowSize`: how many bytes of an answer it takes before it has read any. */
  constructor(url: string, settings: { readonly initialWindowSize?: number } = {}) {
    this.session = connect(url, { settings });
    this.session.on("error", () => {});
    onTestFinished(() => this.session.destroy());
  }

  open(path: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
    const stream = this.session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    stream.on("error", () => {});
    return stream;
  }

  /** Sends a whole request and reads the whole answer. */
  call(path: string, body: Uint8Array, headers: OutgoingHttpHeaders = {}): Promise<RawAnswer> {
    const stream = this.open(path, headers);
    const answer = answerOf(stream);
    stream.end(body);
    return answer;
  }
}

/** Resolves when the stream is closed, by either side. */
export function answerOf(stream: ClientHttp2Stream): Promise<RawAnswer> {
  const all: Record<string, unknown> = {};
  let bytes = 0;
  stream.on("response", (headers) => Object.assign(all, headers));
  stream.on("trailers", (headers) => Object.assign(all, headers));
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.byteLength;
  });
  return new Promise((resolve) => {
    stream.on("close", () => {
      resolve({
        http: numberOf(all[":status"]),
        grpc: numberOf(all["grpc-status"]),
        message: typeof all["grpc-message"] === "string" ? all["grpc-message"] : undefined,
        headers: all,
        bytes,
        reset: stream.rstCode,
      });
    });
  });
}

function numberOf(value: unknown): number | undefined {
  return value === undefined ? undefined : Number(value);
}
