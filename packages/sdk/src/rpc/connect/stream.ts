// A stream of messages: https://connectrpc.com/docs/protocol/#streaming-request. Each comes in an envelope of a flag byte,
// a length of four bytes, and JSON; the last one tells how the stream ended.

import { UsherError } from "../../errors.ts";
import type { Call } from "../rpc.ts";
import { limitOf, type Poster, strange } from "./post.ts";
import { type ErrorJson, refusalOf } from "./refusals.ts";

const TYPE = "application/connect+json";
const HEADER_BYTES = 5;
const COMPRESSED = 1;
const END = 2;

/** No message of the contract comes near it, in bytes. */
const MESSAGE_BYTES_MAX = 1024 * 1024;

/** Yields until the server has ended the stream in order; throws a `UsherError` otherwise. */
export async function* stream<A>(
  poster: Poster,
  method: string,
  request: object,
  call: Call,
): AsyncGenerator<A> {
  const limit = limitOf(call, poster.where);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    const response = await poster.post(method, TYPE, envelope(request), limit.signal);
    if (!response.ok || !response.headers.get("content-type")?.startsWith(TYPE) || response.body === null) {
      throw strange(response, poster.where);
    }
    reader = response.body.getReader();
    for await (const { flags, data } of envelopes(reader, poster.where)) {
      limit.met();
      const message = JSON.parse(new TextDecoder().decode(data));
      if ((flags & END) === 0) {
        yield message as A;
        continue;
      }
      const { error } = message as { error?: ErrorJson };
      if (error !== undefined) throw refusalOf(error, poster.where);
      return;
    }
    throw new UsherError("unreachable", `the stream from ${poster.where} broke off`);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) throw garbled(poster.where);
    throw limit.explain(thrown);
  } finally {
    limit.done();
    reader?.cancel().catch(() => {});
  }
}

function envelope(request: object): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(request));
  const bytes = new Uint8Array(HEADER_BYTES + json.length);
  new DataView(bytes.buffer).setUint32(1, json.length);
  bytes.set(json, HEADER_BYTES);
  return bytes;
}

async function* envelopes(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  where: string,
): AsyncGenerator<{ flags: number; data: Uint8Array }> {
  let rest = new Uint8Array();
  for (;;) {
    while (rest.length >= HEADER_BYTES) {
      const flags = rest[0] ?? 0;
      const end = HEADER_BYTES + new DataView(rest.buffer, rest.byteOffset).getUint32(1);
      if (flags & COMPRESSED || end > MESSAGE_BYTES_MAX) throw garbled(where);
      if (rest.length < end) break;
      yield { flags, data: rest.subarray(HEADER_BYTES, end) };
      rest = rest.subarray(end);
    }
    const { done, value } = await reader.read();
    if (done) return;
    const joined = new Uint8Array(rest.length + value.length);
    joined.set(rest);
    joined.set(value, rest.length);
    rest = joined;
  }
}

function garbled(where: string): UsherError {
  return new UsherError(
    "unexpected_answer",
    `the stream from ${where} is none of the Connect protocol: is there a proxy in between?`,
  );
}
