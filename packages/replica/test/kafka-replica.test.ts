// A replica on a real Kafka: what a log in one process cannot show.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KafkaCluster, START_WAIT_MS, startKafka } from "@usher/local-kafka";
import { openKafkaLog, type TicketLog } from "@usher/ticket-log";
import kafkajs from "kafkajs";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { Entries } from "../src/entries.ts";
import { Replica, type ReplicaOptions } from "../src/index.ts";
import { KEYS } from "./support/keys.ts";
import { all } from "./support/rpc.ts";

let kafka: KafkaCluster;
let directory: string;
let names = 0;
/** Undone after each test, the last first. */
let opened = new AsyncDisposableStack();

beforeAll(async () => {
  kafka = await startKafka();
  directory = await mkdtemp(join(tmpdir(), "usher-replica-"));
}, START_WAIT_MS);

afterEach(async () => {
  await opened.disposeAsync();
  opened = new AsyncDisposableStack();
});

afterAll(async () => {
  await kafka?.close();
  await rm(directory, { recursive: true, force: true });
});

/** Fails the test that meets it, as an unhandled error. */
function unexpected(error: Error): never {
  throw error;
}

async function openLog(topics: string, onFault: (error: Error) => void = unexpected): Promise<TicketLog> {
  const node = `node-${++names}`;
  const log = await openKafkaLog({
    ...{ brokers: kafka.brokers, node, topics, replication: 1, payload_retention_ms: 1 },
    spool: { directory: join(directory, node) },
    onFault,
  });
  return opened.adopt(log, () => log.close());
}

async function openReplica(log: TicketLog, told: Partial<ReplicaOptions> = {}): Promise<Replica> {
  const node = `replica-${++names}`;
  const replica = await Replica.open({
    ...{ log, keys: KEYS, node, onFault: unexpected },
    ...told,
  });
  return opened.adopt(replica, () => replica.close());
}

/** Sets what a topic takes in one message. */
async function limit(topic: string, bytes: number): Promise<void> {
  const client = new kafkajs.Kafka({ brokers: [...kafka.brokers], logLevel: kafkajs.logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  const type = kafkajs.ConfigResourceTypes.TOPIC;
  const configEntries = [{ name: "max.message.bytes", value: `${bytes}` }];
  await admin.alterConfigs({ validateOnly: false, resources: [{ type, name: topic, configEntries }] });
  await admin.disconnect();
}

/** Writes into a topic in a transaction, which Kafka ends with a record of its own. */
async function transact(topic: string): Promise<void> {
  const client = new kafkajs.Kafka({ brokers: [...kafka.brokers], logLevel: kafkajs.logLevel.NOTHING });
  const producer = client.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  try {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value: "a stranger's" }] });
    await transaction.commit();
  } finally {
    await producer.disconnect();
  }
}

it("opens, and shows the log to its end, where a marker of Kafka's ends it", async () => {
  const topics = "marker";
  const first = await openReplica(await openLog(topics));
  await first.close();
  const log = await openLog(topics);
  const before = await log.end();
  await transact(`${topics}.queues`);
  const end = before + 2;
  await eventually(async () => expect(await log.end()).toBe(end));
  const entries = new Entries(log, new AbortController().signal);
  const steps = await all(entries.read({ from: before, until: end }, AbortSignal.timeout(20_000)));
  expect(steps.flat().map(({ offset }) => offset)).toEqual([before]);
  const replica = await openReplica(await openLog(topics));
  expect(replica.asOf).toBeGreaterThanOrEqual(end);
});

it("is not ready while Kafka can be read and takes nothing, and is again by itself", async () => {
  const topics = "unwritable";
  const told: boolean[] = [];
  const log = await openLog(topics, () => {});
  const replica = await openReplica(log, { onStale: (stale) => told.push(stale), onFault: () => {} });
  await eventually(() => expect(replica.ready).toBe(true));
  await limit(`${topics}.queues`, 10);
  await eventually(() => expect(told.at(-1)).toBe(true));
  expect([replica.ready, replica.staleness]).toEqual([false, "timeless"]);
  await limit(`${topics}.queues`, 1_048_588);
  await eventually(() => expect(told.at(-1)).toBe(false));
  expect(replica.ready).toBe(true);
});
