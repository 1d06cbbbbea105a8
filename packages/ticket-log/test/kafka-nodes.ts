// What the tests of the Kafka adapter share: nodes that are closed and cleaned up after, and a stranger's client.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import kafkajs, { type Admin, type Producer } from "kafkajs";
import { type KafkaLogOptions, LogError, openKafkaLog, type TicketLog } from "../src/index.ts";
import { temporaryDirectory } from "./sqlite-harness.ts";

export const RETENTION_MS = 24 * 60 * 60 * 1000;

let names = 0;

/** A prefix that no other topics of this run have. */
export function freshTopics(): string {
  return `usher-${process.pid}-${++names}`;
}

/** An open log, and what it said beside its calls. */
export interface Node {
  readonly log: TicketLog;
  readonly told: string[];
  readonly options: KafkaLogOptions;
}

/** Nodes of one test; `close` leaves nothing of them. */
export class Nodes {
  readonly #options: Partial<KafkaLogOptions> & Pick<KafkaLogOptions, "brokers">;
  /** Made for the first of them. */
  #root: Promise<string> | undefined;
  readonly #open: TicketLog[] = [];

  constructor(options: Partial<KafkaLogOptions> & Pick<KafkaLogOptions, "brokers">) {
    this.#options = { topics: freshTopics(), replication: 1, ...options };
  }

  get queues(): string {
    return `${this.#options.topics}.queues`;
  }

  get payloads(): string {
    return `${this.#options.topics}.payloads`;
  }

  /** Opens a node; one of the same name has the same spool. */
  async open(options: Partial<KafkaLogOptions> = {}): Promise<Node> {
    const told: string[] = [];
    this.#root ??= temporaryDirectory();
    const all: KafkaLogOptions = {
      node: "node",
      payload_retention_ms: RETENTION_MS,
      spool: { directory: join(await this.#root, options.node ?? "node") },
      onFault: ({ code, message }) => told.push(`${code}: ${message}`),
      onMended: (message) => told.push(`mended: ${message}`),
      ...this.#options,
      ...options,
    };
    const log = await openKafkaLog(all);
    this.#open.push(log);
    return { log, told, options: all };
  }

  /** Why it cannot be opened. */
  async refusal(options: Partial<KafkaLogOptions> = {}): Promise<LogError> {
    try {
      await this.open(options);
    } catch (error) {
      return LogError.from(error);
    }
    throw new Error("it opened");
  }

  async close(): Promise<void> {
    for (const log of this.#open.splice(0)) await log.close();
    if (this.#root) await rm(await this.#root, { recursive: true, force: true });
  }
}

/** A client that is not Usher's: for setting up topics, and for writing what should not be there. */
export class Stranger {
  readonly admin: Admin;
  readonly producer: Producer;

  private constructor(admin: Admin, producer: Producer) {
    this.admin = admin;
    this.producer = producer;
  }

  static async at(brokers: readonly string[], transactionalId?: string): Promise<Stranger> {
    const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
    const createPartitioner = kafkajs.Partitioners.DefaultPartitioner;
    const admin = kafka.admin();
    const producer = kafka.producer({
      createPartitioner,
      allowAutoTopicCreation: false,
      ...(transactionalId !== undefined && { transactionalId, idempotent: true, maxInFlightRequests: 1 }),
    });
    await admin.connect();
    await producer.connect();
    return new Stranger(admin, producer);
  }

  async create(
    topic: string,
    settings: Readonly<Record<string, string>>,
    numPartitions = 1,
    replicationFactor = 1,
  ): Promise<void> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await this.admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor, configEntries }] });
  }

  async set(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    const type = kafkajs.ConfigResourceTypes.TOPIC;
    await this.admin.alterConfigs({ validateOnly: false, resources: [{ type, name: topic, configEntries }] });
  }

  /** As kafka-topics.sh shows them, by name. */
  async settings(topic: string): Promise<Record<string, string>> {
    const type = kafkajs.ConfigResourceTypes.TOPIC;
    const { resources } = await this.admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type, name: topic }],
    });
    const entries = resources[0]?.configEntries ?? [];
    return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]));
  }

  /** Deletes the records before an offset. */
  async deleteBelow(topic: string, offset: number): Promise<void> {
    // kafkajs deletes only where it has looked before.
    await this.admin.fetchTopicOffsets(topic);
    await this.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
  }

  async close(): Promise<void> {
    await this.producer.disconnect();
    await this.admin.disconnect();
  }
}
