// What has to be so before the log is used: the cluster can be reached, the topics are there and as they must be, this
// node may read and write them, and they are the log that this node knows.

import { LogError } from "../log.ts";
import type { Client } from "./client.ts";
import { Connection } from "./connection.ts";
import { errorOf } from "./errors.ts";
import { fetch, fingerprint, rangeOf } from "./reader.ts";
import type { TopicSettings } from "./settings.ts";
import type { Spool } from "./spool/spool.ts";
import { Topics } from "./topics.ts";

export interface EnterOptions {
  readonly client: Client;
  readonly topics: { readonly queues: TopicSettings; readonly payloads: TopicSettings };
  readonly replication: number;
  readonly spool: Spool;
}

/** Rejects with a `LogError`, leaving nothing open. */
export async function enter({ client, topics, replication, spool }: EnterOptions): Promise<void> {
  const { kafka, cut } = client.kafka();
  try {
    const admin = kafka.admin();
    await admin.connect().catch((error) => {
      throw errorOf(error, { operation: "reach", resource: `the brokers ${client.brokers.join(", ")}` });
    });
    const found = new Topics(admin, replication);
    for (const topic of [topics.queues, topics.payloads]) {
      if (!(await found.exists(topic.topic))) await found.create(topic);
      await found.check(topic);
    }
  } finally {
    cut();
  }
  await identify(new Connection(client, topics.queues.topic), spool);
}

/** The log's first record says which log it is. */
async function identify(connection: Connection, spool: Spool): Promise<void> {
  const { topic } = connection;
  try {
    const { low } = await rangeOf(connection);
    if (low > 0)
      throw new LogError(
        "corrupt",
        `the topic ${topic} begins at offset ${low}: the records before it are gone`,
      );
    const { messages } = await fetch(connection, 0, 0);
    const [first] = messages;
    if (first === undefined) {
      if (spool.first)
        throw new LogError("corrupt", `the topic ${topic} is empty, but this node knows a log there`);
      return;
    }
    const print = fingerprint(first);
    if (spool.first === undefined) await spool.identify(print);
    else if (!Buffer.from(spool.first).equals(print))
      throw new LogError("corrupt", `the topic ${topic} holds another log than the one that this node knows`);
  } catch (error) {
    throw errorOf(error, { operation: "Read", resource: `topic ${topic}` });
  } finally {
    connection.close();
  }
}
