// Messages that nobody can read. connect-node turns them away before a method, or anything around it, hears of them; in
// gRPC it calls them INTERNAL, as if the fault were here. They are refused, and counted, as anything else that a caller
// has got wrong. (gRPC-Web tells its errors within the body, and keeps connect-node's words.)

import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type {
  UniversalHandler,
  UniversalHandlerFn,
  UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { UsherError } from "@usher/replica";
import { observeRpcError } from "../observe/rpc.ts";

/** How connect-node's words for them begin: of binary ones, of JSON, and of text that is no UTF-8. */
const UNREADABLE = /^(parse binary: |cannot decode |The encoded data was not valid)/;

/** No field can be named. */
export function unreadable(why: string): UsherError {
  return new UsherError("INVALID_FIELD", `the message cannot be read: ${why}`);
}

/** What a caller is to be told in place of this error. */
function explained(error: ConnectError): ConnectError {
  return UNREADABLE.test(error.rawMessage) ? unreadable(error.rawMessage) : error;
}

/** Of streams, whose message is read within. */
export const explainingStreams: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (thrown) {
    throw thrown instanceof ConnectError ? explained(thrown) : thrown;
  }
};

/** The same handler, whose callers are told so of single messages. */
export function explaining(handler: UniversalHandler): UniversalHandler {
  const method = `${handler.service.typeName}/${handler.method.name}`;
  const handle: UniversalHandlerFn = async (req) => {
    const answer = await handler(req);
    const { trailer, status, header } = answer;
    if (trailer?.has("grpc-status")) {
      const error = toldAnew(findTrailerError(trailer), method);
      if (error !== undefined) setTrailerStatus(trailer, error);
      return answer;
    }
    // Connect's, of one message: there, a stream's status is 200.
    if (status < 400 || header?.get("content-type") !== "application/json") return answer;
    const told = await bytesOf(answer);
    const error = toldAnew(errorFromJsonBytes(told, undefined, new ConnectError("", Code.Unknown)), method);
    if (error === undefined) return { ...answer, body: once(told) };
    const body = errorToJsonBytes(error, undefined);
    header.set("content-length", `${body.length}`);
    return { ...answer, status: 400, body: once(body) };
  };
  return Object.assign(handle, handler);
}

/** Undefined for what was told well. */
function toldAnew(error: ConnectError | undefined, method: string): ConnectError | undefined {
  if (error === undefined) return undefined;
  const better = explained(error);
  if (better === error) return undefined;
  observeRpcError(method, better.code);
  return better;
}

async function bytesOf({ body }: UniversalServerResponse): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body ?? []) parts.push(part);
  return Buffer.concat(parts);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
