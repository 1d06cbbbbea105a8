// What a topic is asked: for records, and for where it begins and ends.

import { createHash } from "node:crypto";
import type { KafkaMessage } from "kafkajs";
import { LogError, type Offset } from "../log.ts";
import type { Connection } from "./connection.ts";

/** What one fetch brings at most, in bytes, unless a single batch is larger: some thousand entries, which are read in a
 * few milliseconds. */
const FETCH_BYTES = 512 * 1024;

/** Sees records of transactions that are not finished, or were aborted, too: a stranger's open one must not hold up the
 * log. Usher has none. */
const READ_UNCOMMITTED = 0;

/** Where the topic begins and ends, as its leader knows it. */
export interface Range {
  readonly low: Offset;
  readonly high: Offset;
}

/** What one fetch has brought. */
export interface Brought extends Range {
  readonly messages: readonly RawMessage[];
}

interface FetchResponse {
  readonly responses: readonly {
    readonly partitions: readonly {
      readonly highWatermark: string;
      /** Where the log starts; kafkajs calls it so. */
      readonly lastStartOffset: string;
      readonly messages: readonly RawMessage[];
    }[];
  }[];
}

/** Kafka's own records are marked. */
export type RawMessage = KafkaMessage & { readonly isControlRecord?: boolean };

/** What tells one record from any other at its offset. */
export function fingerprint({ key, value, timestamp }: KafkaMessage): Uint8Array {
  const hash = createHash("sha256").update(`${timestamp} ${key?.byteLength ?? -1} `);
  if (key) hash.update(key);
  if (value) hash.update(value);
  return hash.digest();
}

/** What is in the topic from an offset on, as far as one fetch brings it: `bytes`, and the first batch whatever its size. */
export async function fetch(
  connection: Connection,
  from: Offset,
  wait_ms: number,
  bytes: number = FETCH_BYTES,
): Promise<Brought> {
  const response: FetchResponse = await connection.ask(
    (leader) =>
      leader.fetch({
        maxWaitTime: wait_ms,
        minBytes: 1,
        maxBytes: bytes,
        isolationLevel: READ_UNCOMMITTED,
        topics: [
          {
            topic: connection.topic,
            partitions: [{ partition: 0, fetchOffset: String(from), maxBytes: bytes }],
          },
        ],
      }),
    wait_ms + connection.timings.request_ms,
  );
  const partition = response.responses[0]?.partitions[0];
  if (partition === undefined) throw new LogError("unavailable", `${connection.topic}: an empty answer`);
  // Kafka sends whole batches, which may begin earlier.
  const messages = partition.messages.filter(({ offset }) => Number(offset) >= from);
  return { messages, low: Number(partition.lastStartOffset), high: Number(partition.highWatermark) };
}

/** Where the topic begins and ends. */
export async function rangeOf(connection: Connection): Promise<Range> {
  const [low, high] = [await offsetOf(connection, true), await offsetOf(connection, false)];
  return { low, high };
}

export async function offsetOf(connection: Connection, fromBeginning: boolean): Promise<Offset> {
  const partitions = [{ partition: 0 }];
  const { topic } = connection;
  const [found] = await connection.askCluster((cluster) =>
    cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }]),
  );
  const offset = found?.partitions[0]?.offset;
  if (offset === undefined) throw new LogError("unavailable", `${topic}: an empty answer`);
  return Number(offset);
}
