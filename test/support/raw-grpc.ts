// gRPC by hand, over HTTP/2: for what no client would send.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@usher/protocol/error-details";
import { StatusSchema } from "@usher/protocol/status";

export interface GrpcAnswer {
  /** The HTTP status; undefined where the stream ended without. */
  readonly http: number | undefined;
  /** By name; undefined where none came. */
  readonly code: string | undefined;
  /** Of `google.rpc.ErrorInfo`. */
  readonly reason: string | undefined;
}

/** A message as gRPC frames it; `size` lies about its length. */
export function envelope(message: Uint8Array, size = message.byteLength, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0, 0);
  head.writeUInt32BE(size, 1);
  return Buffer.concat([head, message]);
}

export class RawGrpc {
  readonly session: ClientHttp2Session;

  constructor(url: string, settings: { readonly initialWindowSize?: number } = {}) {
    this.session = connect(url, { settings });
    this.session.on("error", () => undefined);
  }

  /** Opens a call, and leaves the rest to the caller. */
  open(path: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
    const stream = this.session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    return stream.on("error", () => undefined);
  }

  /** Sends bytes as the whole request, and waits for the answer, or for the stream to end without. */
  call(path: string, body: Uint8Array, headers: OutgoingHttpHeaders = {}): Promise<GrpcAnswer> {
    const stream = this.open(path, headers);
    const answer = answerOf(stream);
    stream.end(body);
    return answer;
  }

  close(): void {
    this.session.destroy();
  }
}

/** Resolves when the answer has come, or the stream has closed without. */
export function answerOf(stream: ClientHttp2Stream): Promise<GrpcAnswer> {
  const all: Record<string, unknown> = {};
  stream.on("response", (headers) => Object.assign(all, headers));
  stream.on("trailers", (headers) => Object.assign(all, headers));
  // Given up once it has been answered: the server may never take the rest of the request.
  stream.on("end", () => setImmediate(() => stream.close(constants.NGHTTP2_CANCEL))).resume();
  return new Promise((resolve) => {
    stream.on("close", () => {
      const { ":status": http, "grpc-status": code, "grpc-status-details-bin": details } = all;
      resolve({
        http: typeof http === "number" ? http : undefined,
        code: code === undefined ? undefined : Code[Number(code)],
        reason: typeof details === "string" ? reasonOf(Buffer.from(details, "base64")) : undefined,
      });
    });
  });
}

function reasonOf(details: Uint8Array): string | undefined {
  for (const detail of fromBinary(StatusSchema, details).details) {
    const info = anyUnpack(detail, ErrorInfoSchema);
    if (info !== undefined) return info.reason;
  }
  return undefined;
}
