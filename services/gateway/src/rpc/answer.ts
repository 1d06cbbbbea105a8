// The answers that connect-node gives by itself, told as Usher's own. Of a single message no interceptor hears what
// goes wrong before the method, so the answer is looked at as it leaves: in gRPC the trailers, in gRPC-Web the frame
// that holds them, in Connect the body. Of a stream, an interceptor hears it.

import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { Code, ConnectError, createContextKey, type Interceptor } from "@connectrpc/connect";
import type {
  UniversalHandler,
  UniversalHandlerFn,
  UniversalServerRequest,
  UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import type { RpcCall } from "../observe/rpc.ts";
import { notServed, unreadable } from "./refusal.ts";

/** The call as metrics and traces see it. */
export const RPC_CALL = createContextKey<RpcCall | undefined>(undefined, { description: "the call" });

/** Bytes before what a frame holds: its flags and its length. */
const FRAME_HEAD = 5;

/** Of a frame that is compressed. */
const COMPRESSED = 1;

const JSON_TYPE = "application/json";

/** What a caller is to be told in place of an error; the same, where it is well told. */
export type Explain = (error: ConnectError) => ConnectError;

/** Begins no call whose deadline is over. Of streams: tells what goes wrong with their requests, and what ends them. */
export function explainingStreams(explain: Explain): Interceptor {
  return (next) => async (request) => {
    if (!request.stream) {
      request.signal.throwIfAborted();
      return next(request);
    }
    const call = request.contextValues.get(RPC_CALL);
    const told = (thrown: unknown): ConnectError => {
      const error = explain(ConnectError.from(thrown, Code.Internal));
      if (call !== undefined) call.code = error.code;
      return error;
    };
    try {
      const answer = await next(request);
      return answer.stream ? { ...answer, message: telling(answer.message, told) } : answer;
    } catch (thrown) {
      throw told(thrown);
    }
  };
}

async function* telling<T>(messages: AsyncIterable<T>, told: (thrown: unknown) => ConnectError) {
  try {
    yield* messages;
  } catch (thrown) {
    throw told(thrown);
  }
}

/** The same handler, whose callers are told so. */
export function explaining(handler: UniversalHandler, explain: Explain): UniversalHandler {
  const handle: UniversalHandlerFn = async (req) => {
    const call = req.contextValues?.get(RPC_CALL);
    const noted = (error: ConnectError): ConnectError => {
      if (call !== undefined) call.code = error.code;
      return error;
    };
    const answer = await handler(req);
    const why = NOT_SERVED.get(answer.status);
    if (why !== undefined) {
      const refusal = refusalOf(
        req.header.get("content-type") ?? "",
        answer.status,
        noted(explain(notServed(why))),
      );
      if (answer.status === 405) refusal.header?.set("allow", handler.allowedMethods.join(", "));
      return refusal;
    }
    return toldAnew(answer, (error) =>
      noted(explain(isBadQuery(req, error) ? unreadable("it is not base64") : error)),
    );
  };
  return Object.assign(handle, handler);
}

/** What connect-node answers with a status alone. */
const NOT_SERVED: ReadonlyMap<number, string> = new Map([
  [405, "the method is not called so; the answer names the HTTP methods that it takes (allow)"],
  [415, "messages of this content type are not read here; JSON and protobuf are"],
]);

/** The answer to a call that nothing serves, in the words of the protocol that its content type names. */
export function refusalOf(type: string, status: number, error: ConnectError): UniversalServerResponse {
  if (!type.startsWith("application/grpc")) {
    const header = new Headers({ "content-type": JSON_TYPE });
    return { status, header, body: once(errorToJsonBytes(error, undefined)) };
  }
  // Of a content type that is none of theirs, the HTTP status is all that gRPC's own clients heed.
  const heard = status === 404 ? 200 : status;
  if (!type.startsWith("application/grpc-web")) {
    const header = new Headers({ "content-type": "application/grpc" });
    return { status: heard, header, trailer: setTrailerStatus(new Headers(), error) };
  }
  const header = new Headers({ "content-type": "application/grpc-web+proto" });
  return { status: heard, header, body: once(frameOf(setTrailerStatus(new Headers(), error))) };
}

/** connect-node calls it its own fault. */
function isBadQuery({ method, url }: UniversalServerRequest, { code }: ConnectError): boolean {
  if (method !== "GET" || code !== Code.Internal) return false;
  const query = new URL(url).searchParams;
  try {
    if (query.get("base64") === "1") base64Decode(query.get("message") ?? "");
    return false;
  } catch {
    return true;
  }
}

/** The answer, in which an error that comes before any message is told anew; where it is well told, as it was. */
async function toldAnew(answer: UniversalServerResponse, tell: Explain): Promise<UniversalServerResponse> {
  const { trailer, status, header, body } = answer;
  if (trailer !== undefined) {
    const error = findTrailerError(trailer);
    const better = error && tell(error);
    if (better !== undefined && better !== error) setTrailerStatus(trailer, better);
    return answer;
  }
  if (header?.get("content-type")?.startsWith("application/grpc-web") === true && body !== undefined)
    return { ...answer, body: await framesTold(body, header, tell) };
  // Connect's, of one message: there, a stream's status is 200.
  if (status < 400 || header?.get("content-type") !== JSON_TYPE) return answer;
  const bytes = await bytesOf(answer);
  const json = inflated(bytes, header.get("content-encoding"));
  const error = errorFromJsonBytes(json, undefined, new ConnectError("", Code.Unknown));
  const better = tell(error);
  if (better === error) return { ...answer, body: once(bytes) };
  const told = errorToJsonBytes(better, undefined);
  header.delete("content-encoding");
  header.set("content-length", `${told.length}`);
  return { ...answer, status: codeToHttpStatus(better.code), body: once(told) };
}

/** Of gRPC-Web: a frame is a chunk, and the one with the trailers is the first where no message comes before. */
async function framesTold(body: AsyncIterable<Uint8Array>, header: Headers, tell: Explain) {
  const frames = body[Symbol.asyncIterator]();
  const first = await frames.next();
  const flags = first.done === true ? undefined : first.value[0];
  if (first.done === true || flags === undefined || (flags & trailerFlag) === 0)
    return resumed(first, frames);
  const held = first.value.subarray(FRAME_HEAD);
  const encoding = (flags & COMPRESSED) === 0 ? null : header.get("grpc-encoding");
  const trailer = trailerParse(inflated(held, encoding));
  const error = findTrailerError(trailer);
  const better = error && tell(error);
  if (better === undefined || better === error) return resumed(first, frames);
  const frame = frameOf(setTrailerStatus(trailer, better));
  return resumed({ done: false, value: frame }, frames);
}

/** As it was before its first was looked at; what goes wrong with writing is still told to who made it. */
function resumed(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>,
): AsyncIterable<Uint8Array> {
  let ahead: IteratorResult<Uint8Array> | undefined = first;
  const { throw: fail, return: end } = rest;
  const iterator: AsyncIterator<Uint8Array> = {
    next() {
      const one = ahead;
      ahead = undefined;
      return one === undefined ? rest.next() : Promise.resolve(one);
    },
    ...(fail && { throw: (error: unknown) => fail.call(rest, error) }),
    ...(end && { return: () => end.call(rest) }),
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

function frameOf(trailer: Headers): Uint8Array {
  const held = trailerSerialize(trailer);
  const frame = Buffer.alloc(FRAME_HEAD + held.length);
  frame.writeUInt8(trailerFlag, 0);
  frame.writeUInt32BE(held.length, 1);
  frame.set(held, FRAME_HEAD);
  return frame;
}

/** As connect-node compresses what is long enough, by gzip and brotli. */
function inflated(bytes: Uint8Array, encoding: string | null): Uint8Array {
  if (encoding === "gzip") return gunzipSync(bytes);
  return encoding === "br" ? brotliDecompressSync(bytes) : bytes;
}

async function bytesOf({ body }: UniversalServerResponse): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body ?? []) parts.push(part);
  return Buffer.concat(parts);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
