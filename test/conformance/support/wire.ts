// Requests by hand, in each protocol, for what no client would send.

import { request as http1 } from "node:http";
import { connect as http2 } from "node:http2";
import { Code } from "@connectrpc/connect";

export interface WireAnswer {
  /** The HTTP status; undefined where the connection was cut without one. */
  readonly http: number | undefined;
  /** The protocol's own code; undefined where there is none, as beside a 415. */
  readonly code: Code | undefined;
}

export interface WireRequest {
  /** Service and method. */
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
  /** The length that HTTP/1.1 announces; default: the body's. */
  readonly announced?: number;
  /** More seems to come: the request is not ended. */
  readonly open?: boolean;
  readonly apiKey: string;
}

export interface Wire {
  readonly contentType: string;
  /** Whether messages stand in envelopes: five bytes before each, the flags and the length. */
  readonly enveloped: boolean;
  readonly json: boolean;
  send(url: string, request: WireRequest): Promise<WireAnswer>;
}

export const CONNECT_JSON: Wire = {
  contentType: "application/json",
  enveloped: false,
  json: true,
  send: (url, request) => overHttp1(url, request, connectCode),
};

export const CONNECT_PROTO: Wire = { ...CONNECT_JSON, contentType: "application/proto", json: false };

export const GRPC_WEB: Wire = {
  contentType: "application/grpc-web+proto",
  enveloped: true,
  json: false,
  send: (url, request) => overHttp1(url, request, grpcWebCode),
};

export const GRPC: Wire = {
  contentType: "application/grpc+proto",
  enveloped: true,
  json: false,
  send: overHttp2,
};

/** A message in an envelope; `size` lies about its length. */
export function envelope(message: Uint8Array, size = message.byteLength): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(size, 1);
  return Buffer.concat([head, message]);
}

type ReadCode = (headers: NodeJS.Dict<string | string[]>, body: Buffer) => Code | undefined;

function overHttp1(url: string, request: WireRequest, codeOf: ReadCode): Promise<WireAnswer> {
  return new Promise((resolve) => {
    const outgoing = http1(`${url}${request.path}`, {
      method: "POST",
      agent: false,
      headers: {
        "content-type": request.contentType,
        ...lengthOf(request),
        "connect-protocol-version": "1",
        "usher-api-key": request.apiKey,
      },
    });
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      const done = (): void => {
        outgoing.destroy();
        resolve({ http: response.statusCode, code: codeOf(response.headers, Buffer.concat(chunks)) });
      };
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", done).on("error", done);
    });
    outgoing.on("error", () => resolve({ http: undefined, code: undefined }));
    outgoing.write(request.body);
    if (request.open !== true) {
      outgoing.end();
    }
  });
}

/** Without a length the body comes in chunks. */
function lengthOf({ announced, open, body }: WireRequest): { "content-length"?: number } {
  if (announced === undefined && open === true) {
    return {};
  }
  return { "content-length": announced ?? body.byteLength };
}

function overHttp2(url: string, request: WireRequest): Promise<WireAnswer> {
  return new Promise((resolve) => {
    const session = http2(url);
    session.on("error", () => resolve({ http: undefined, code: undefined }));
    const stream = session.request({
      ":method": "POST",
      ":path": request.path,
      "content-type": request.contentType,
      te: "trailers",
      "usher-api-key": request.apiKey,
    });
    let http: number | undefined;
    let code: Code | undefined;
    const read = (headers: NodeJS.Dict<string | string[]>): void => {
      code ??= codeOf(headers["grpc-status"]);
    };
    stream.on("response", (headers) => {
      http = headers[":status"];
      read(headers);
    });
    stream.on("trailers", read);
    const done = (): void => {
      session.destroy();
      resolve({ http, code });
    };
    stream
      .on("end", () => setImmediate(done))
      .on("error", () => {})
      .on("close", done);
    stream.resume();
    stream.write(request.body);
    if (request.open !== true) {
      stream.end();
    }
  });
}

function connectCode(_headers: NodeJS.Dict<string | string[]>, body: Buffer): Code | undefined {
  try {
    const error: unknown = JSON.parse(body.toString());
    const name = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
    return typeof name === "string" ? CODES.get(name) : undefined;
  } catch {
    return undefined;
  }
}

/** In a header, or in the last envelope of the body. */
function grpcWebCode(headers: NodeJS.Dict<string | string[]>, body: Buffer): Code | undefined {
  const [, inBody] = /grpc-status: ?(\d+)/i.exec(body.toString("latin1")) ?? [];
  return codeOf(headers["grpc-status"] ?? inBody);
}

function codeOf(text: string | string[] | undefined): Code | undefined {
  return typeof text === "string" && text !== "0" ? Number(text) : undefined;
}

/** Codes by Connect's names: `invalid_argument`. */
const CODES = new Map(
  Object.entries(Code).flatMap(([name, code]) =>
    typeof code === "number" ? [[name.replace(/(?<=.)[A-Z]/g, "_$&").toLowerCase(), code] as const] : [],
  ),
);
