// What has to be so before the log is used: the cluster can be reached, the topics are there and as they must be, this
// node may read and write them, and they are the log that this node knows.

import type { Offset } from "../log.ts";
import type { Client } from "./client.ts";
import { Connection } from "./connection.ts";
import { errorOf, isDenied, passes } from "./errors.ts";
import { fetch, rangeOf } from "./fetching.ts";
import type { Identity } from "./identity.ts";
import { pauseBefore } from "./pause.ts";
import type { TopicSettings } from "./settings.ts";
import { Topics } from "./topics.ts";

export interface OpeningOptions {
  readonly client: Client;
  readonly topics: { readonly queues: TopicSettings; readonly payloads: TopicSettings };
  readonly replication: number;
  readonly identity: Identity;
}

/** What there is to follow. */
export interface Opened {
  /** Where the topic of the payloads begins. */
  readonly payloads_low: Offset;
}

/** Tries for some seconds. Rejects with a `LogError`, leaving nothing open. */
export async function enter(options: OpeningOptions): Promise<Opened> {
  const { timings, login } = options.client;
  const deadline_ms = performance.now() + timings.open_ms;
  for (let count = 1; ; count++) {
    try {
      await prepare(options);
      return await look(options);
    } catch (error) {
      const pause_ms = pauseBefore(count, timings.pause_ms);
      if (!passes(error) || performance.now() + pause_ms > deadline_ms)
        throw errorOf(error, { login, operation: "Describe", topic: options.topics.queues.topic });
      await new Promise((resolve) => setTimeout(resolve, pause_ms));
    }
  }
}

/** The topics are there, and as they must be. */
async function prepare({ client, topics, replication, identity }: OpeningOptions): Promise<void> {
  const { admin, cut } = await client.reach();
  await limited(client, cut, async () => {
    const found = new Topics({ admin, replication, login: client.login });
    for (const wanted of [topics.queues, topics.payloads]) {
      if (!(await found.exists(wanted.topic))) {
        if (wanted === topics.queues) identity.demandNone();
        await found.create(wanted);
      }
      await found.check(wanted);
    }
  });
}

/** This node may use them, and they are what it knows. */
async function look({ client, topics, identity }: OpeningOptions): Promise<Opened> {
  const [queues, payloads] = [
    new Connection(client, topics.queues.topic),
    new Connection(client, topics.payloads.topic),
  ];
  const close = () => {
    queues.close();
    payloads.close();
  };
  return await limited(client, close, async () => {
    for (const connection of [queues, payloads]) await demandWrite(connection);
    const log = await demandRead(queues);
    await identity.demand(log.low, log.first);
    const { low } = await demandRead(payloads);
    return { payloads_low: low };
  });
}

/** Calls `end` when the work is over, or when it takes too long, upon which it fails. */
async function limited<T>({ timings }: Client, end: () => void, work: () => Promise<T>): Promise<T> {
  const timer = setTimeout(end, timings.open_ms);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    end();
  }
}

/** Nothing is written: Kafka looks at the rights before it refuses an empty batch. */
async function demandWrite(connection: Connection): Promise<void> {
  const { topic, login } = connection;
  const topicData = [{ topic, partitions: [{ partition: 0, firstSequence: 0, messages: [] }] }];
  const leader = await connection.leader();
  try {
    await connection.within(connection.timings.request_ms, leader.produce({ acks: -1, topicData }));
  } catch (error) {
    if (isDenied(error)) throw errorOf(error, { login, operation: "Write", topic });
  }
}

async function demandRead(connection: Connection) {
  const { topic, login } = connection;
  try {
    const { low } = await rangeOf(connection);
    const { messages } = await fetch(connection, low, 0);
    return { low, first: messages[0] };
  } catch (error) {
    throw isDenied(error) ? errorOf(error, { login, operation: "Read", topic }) : error;
  }
}
