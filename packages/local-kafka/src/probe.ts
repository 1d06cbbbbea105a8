// Asks a broker which brokers it knows: the one question whose answer says that it serves, and knows its cluster.
// By hand, without a client's retries, caches and log lines.

import { once } from "node:events";
import { connect } from "node:net";
import { HOST } from "./ports.ts";

/** Kafka's protocol guide: Metadata is request 3. Version 4 is the last before tagged fields that can ask without
 * making topics. */
const METADATA = 3;
const VERSION = 4;

/** How long an answer is waited for, in milliseconds; one second, as the question is asked again anyhow. */
const ANSWER_MS = 1_000;

/** No cluster of three has an answer this long, in bytes. */
const ANSWER_MAX = 64 * 1024;

/** The ids of the brokers that the one at this port knows to be alive; none if it does not answer. */
export async function brokersKnownAt(port: number): Promise<number[]> {
  const socket = connect({ port, host: HOST, signal: AbortSignal.timeout(ANSWER_MS) });
  try {
    await once(socket, "connect");
    socket.write(question());
    return parse(await answer(socket));
  } catch {
    return [];
  } finally {
    socket.destroy();
  }
}

/** Length, header (request, version, correlation id, no client id), no topics, none to be made. */
function question(): Buffer {
  const bytes = Buffer.alloc(19);
  bytes.writeInt32BE(15, 0);
  bytes.writeInt16BE(METADATA, 4);
  bytes.writeInt16BE(VERSION, 6);
  bytes.writeInt32BE(0, 8);
  bytes.writeInt16BE(-1, 12);
  bytes.writeInt32BE(0, 14);
  bytes.writeInt8(0, 18);
  return bytes;
}

async function answer(socket: AsyncIterable<Buffer>): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length > ANSWER_MAX) break;
    if (bytes.length >= 4 && bytes.length - 4 >= bytes.readInt32BE(0)) return bytes;
  }
  throw new Error("no whole answer");
}

/** Length, correlation id, throttling; then the number of brokers, and of each its id, host, port and rack. */
function parse(bytes: Buffer): number[] {
  const ids: number[] = [];
  let at = 16;
  for (let left = bytes.readInt32BE(12); left > 0; left--) {
    ids.push(bytes.readInt32BE(at));
    at += 4;
    at += 2 + bytes.readInt16BE(at) + 4;
    at += 2 + Math.max(0, bytes.readInt16BE(at));
  }
  return ids;
}
