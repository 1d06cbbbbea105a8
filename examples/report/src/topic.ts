// Reads a topic from its first record on, as any team may: with a consumer group of its own, and without a trace. It
// commits no offsets, as what it reports follows from all records, and none can be left out.

import { type Consumer, Kafka, logLevel } from "kafkajs";
import { ReportError } from "./log.ts";

export interface Topic {
  /** "host:port" each. */
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly group: string;
  /** Goes on with what comes, until the signal aborts; otherwise it ends where the topic ends at the start. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** Hands every value over, in order. Resolves at the end, and rejects with a `ReportError` or with kafkajs's errors. */
export async function readTopic(options: Topic, heard: (value: Uint8Array) => void): Promise<void> {
  const { brokers, topic, group, follow, signal } = options;
  const kafka = new Kafka({ clientId: group, brokers: [...brokers], logLevel: logLevel.NOTHING });
  const end = await endOf(kafka, topic);
  if (!follow && end === 0n) return;
  const consumer = kafka.consumer({ groupId: group, allowAutoTopicCreation: false });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consume(consumer, { until: follow ? undefined : end, signal }, heard);
  } finally {
    await consumer.disconnect();
  }
}

/** The offset after the topic's last record. */
async function endOf(kafka: Kafka, topic: string): Promise<bigint> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    if (!(await admin.listTopics()).includes(topic))
      throw new ReportError(`there is no topic ${topic}, or no right to see it`);
    const [first, ...others] = await admin.fetchTopicOffsets(topic);
    if (first === undefined || others.length > 0)
      throw new ReportError(
        `${topic} has ${others.length + 1} partitions; an order of all records needs one`,
      );
    if (first.low !== "0") throw new ReportError(`the first ${first.low} records of ${topic} are gone`);
    return BigInt(first.high);
  } finally {
    await admin.disconnect();
  }
}

function consume(
  consumer: Consumer,
  { until, signal }: { until: bigint | undefined; signal: AbortSignal },
  heard: (value: Uint8Array) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve());
  if (signal.aborted) resolve();
  consumer.on("consumer.crash", ({ payload }) => {
    if (!payload.restart) reject(payload.error);
  });
  let over = false;
  consumer
    .run({
      autoCommit: false,
      eachMessage: async ({ message }) => {
        if (over) return;
        try {
          heard(message.value ?? new Uint8Array());
        } catch (error) {
          over = true;
          reject(error);
        }
        if (until !== undefined && BigInt(message.offset) + 1n >= until) {
          over = true;
          resolve();
        }
      },
    })
    .catch(reject);
  return promise;
}
