// The log on Kafka: two topics, for any number of nodes. The map of this folder:
//
//   log.ts          opens it and puts the parts together; options.ts: with what
//   opening.ts      reaching the cluster, the topics, the rights; identity.ts: whether this is the log that it was
//   topics.ts       making and checking the topics; settings.ts: what they must be
//   client.ts       kafkajs, set up (mending.ts: and mended); connection.ts: the way to a topic's leader
//   producer.ts     writing batches, each once; commits.ts: of entries; payloads.ts: of payloads
//   line.ts         a writer's order where payloads must be durable first
//   reader.ts       reading a topic; follower.ts: for followers
//   fetching.ts     what a topic is asked; ends.ts: where it ends
//   spool/          the payloads that this node has followed (its map: `spool/spool.ts`)
//   records.ts      how entries and payloads are written in Kafka
//   health.ts       trouble, told once; pause.ts: between tries; errors.ts: what Kafka's errors mean
//
// A log is open, then closing (what was accepted is written, as long as there is hope), then closed.

import { type LogLimits, logLimits } from "../limits.ts";
import {
  type Follower,
  type Following,
  LogError,
  type Offset,
  type Payload,
  type PayloadKey,
  type TicketKey,
  type TicketLog,
  type Writer,
} from "../log.ts";
import { change, checkKey, DROP_BYTES, drop, type Operation, put } from "../operation.ts";
import { Pending } from "../pending.ts";
import { LogWriter } from "../writer.ts";
import { Client } from "./client.ts";
import { Commits } from "./commits.ts";
import { Connection } from "./connection.ts";
import { Ends } from "./ends.ts";
import { Followers } from "./follower.ts";
import { Health } from "./health.ts";
import { Identity } from "./identity.ts";
import { Line } from "./line.ts";
import { enter } from "./opening.ts";
import { brokersOf, KAFKA_TIMINGS, type KafkaLogOptions } from "./options.ts";
import { PayloadWriter } from "./payloads.ts";
import { Producer } from "./producer.ts";
import { payloadsSettings, queuesSettings } from "./settings.ts";
import { Spool } from "./spool/spool.ts";

/**
 * Opens the log in a Kafka cluster; makes its topics when they are missing.
 *
 * Rejects with a `LogError`, leaving nothing open: "unavailable" (the cluster cannot be reached); "misconfigured"
 * (credentials, rights, or the settings of a topic; the message says what mends it); "corrupt" (another log than this
 * node has seen); "in_use" (another process has the spool).
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<TicketLog> {
  const limits = logLimits(options.limits);
  const timings = { ...KAFKA_TIMINGS, ...options.timings };
  const { topics: prefix = "usher", replication = 3, payload_retention_ms } = options;
  const client = new Client({ ...options, brokers: brokersOf(options.brokers), timings });
  const wanted = { prefix, replication, payload_retention_ms, limits };
  const topics = { queues: queuesSettings(wanted), payloads: payloadsSettings(wanted) };
  const health = new Health({
    trouble_ms: timings.trouble_ms,
    onFault: options.onFault,
    onMended: options.onMended ?? (() => {}),
  });
  const spool = await Spool.open(options.spool);
  const { directory } = options.spool;
  const identity = new Identity({ topic: topics.queues.topic, spool, directory });
  try {
    const { payloads_low: low } = await enter({ client, topics, replication, identity });
    spool.follow({ client, topic: topics.payloads.topic, health, low });
  } catch (error) {
    await spool.close();
    throw error;
  }
  return new KafkaLog({
    client,
    health,
    spool,
    identity,
    limits,
    now: options.now ?? Date.now,
    topics: { queues: topics.queues.topic, payloads: topics.payloads.topic },
  });
}

interface KafkaParts {
  readonly client: Client;
  readonly health: Health;
  readonly spool: Spool;
  readonly identity: Identity;
  readonly limits: LogLimits;
  readonly now: () => number;
  readonly topics: { readonly queues: string; readonly payloads: string };
}

class KafkaLog implements TicketLog {
  readonly shared = true;
  readonly #parts: KafkaParts;
  readonly #pending: Pending;
  readonly #followers: Followers;
  readonly #producers: readonly Producer[];
  readonly #commits: Commits;
  readonly #payloads: PayloadWriter;
  readonly #ends: Ends;
  #payloadReads = 0;
  /** Fetches of payloads that have not ended. */
  readonly #reading = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;
  #failure: LogError | undefined;

  constructor(parts: KafkaParts) {
    const { client, health, identity, limits, topics, spool } = parts;
    const { timings } = client;
    this.#parts = parts;
    this.#pending = new Pending(limits);
    this.#followers = new Followers({
      client,
      topic: topics.queues,
      health,
      identity,
      max: limits.followers_max,
      lost: (error) => this.#fail(error),
    });
    const producerOf = (topic: string) =>
      new Producer({ connection: new Connection(client, topic), timings, health });
    const [entries, payloads] = [producerOf(topics.queues), producerOf(topics.payloads)];
    this.#producers = [entries, payloads];
    const ended = (operation: Operation, error?: LogError) => this.#ended(operation, error);
    this.#commits = new Commits({ producer: entries, timings, ended });
    this.#payloads = new PayloadWriter({
      producer: payloads,
      timings,
      now: parts.now,
      stored: (key, end) => spool.wrote(key, end),
    });
    this.#ends = new Ends(new Connection(client, topics.queues));
    spool.onFailure((error) => this.#fail(error));
  }

  openWriter(): Writer {
    this.#demandOpen();
    const line = new Line({
      store: (payload) => this.#payloads.store(payload),
      ready: (operation, own) => this.#commits.add(operation, own),
      ended: (operation, error) => this.#ended(operation, error),
    });
    return new LogWriter({
      limits: this.#parts.limits,
      add: (operation) => {
        this.#pending.enter(operation.bytes);
        line.add(operation);
      },
      refusal: () => this.#refusal(),
    });
  }

  follow(from: Offset, follower: Follower): Following {
    this.#demandOpen();
    return this.#followers.follow(from, follower);
  }

  async end(): Promise<Offset> {
    this.#demandOpen();
    return Math.max(await this.#ends.ask(), this.#commits.end);
  }

  putPayload(payload: Payload): Promise<void> {
    return change((ended) => {
      this.#demandOpen();
      const operation = put(payload, this.#parts.limits, ended);
      this.#pending.enter(operation.bytes);
      this.#payloads.store(payload).then(
        () => this.#ended(operation),
        (error: LogError) => this.#ended(operation, error),
      );
    });
  }

  dropPayloads(keys: readonly TicketKey[]): Promise<void> {
    return change((ended) => {
      this.#demandOpen();
      const operation = drop(keys, this.#parts.limits, ended);
      this.#dropping(operation.bytes, ended, () => this.#parts.spool.drop(keys));
    });
  }

  dropPayloadsOlderThan(age_ms: number): Promise<void> {
    return change((ended) => {
      this.#demandOpen();
      if (!(age_ms >= 0)) throw new RangeError(`${age_ms} ms is not an age`);
      const before_ms = this.#parts.now() - age_ms;
      this.#dropping(DROP_BYTES, ended, () => this.#parts.spool.expire(before_ms));
    });
  }

  async getPayload(key: PayloadKey): Promise<Uint8Array | undefined> {
    this.#demandOpen();
    checkKey(key);
    const { payload_reads_max } = this.#parts.limits;
    if (this.#payloadReads >= payload_reads_max) {
      throw new LogError("overloaded", `${payload_reads_max} payloads are being fetched already`);
    }
    this.#payloadReads++;
    const reading = this.#parts.spool.payload(key).finally(() => {
      this.#payloadReads--;
      this.#reading.delete(reading);
    });
    this.#reading.add(reading);
    return await reading;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { timings } = this.#parts.client;
    this.#followers.close();
    for (const producer of this.#producers) producer.hurry(timings.retry_ms);
    await this.#pending.idle();
    await Promise.allSettled(this.#reading);
    for (const producer of this.#producers) producer.stop(new LogError("closed", "the log was closed"));
    this.#ends.close();
    await this.#parts.spool.close();
  }

  /** Drops from the spool, after all that was put before has got there. */
  #dropping(bytes: number, ended: (error?: LogError) => void, act: () => Promise<void>): void {
    this.#pending.enter(bytes);
    const dropped = async () => {
      await this.#payloads.settled();
      await this.#parts.spool.catchUp();
      await act();
    };
    dropped()
      .then(
        () => ended(),
        (error: unknown) => ended(LogError.from(error)),
      )
      .finally(() => this.#pending.leave(bytes));
  }

  #ended({ bytes, ended }: Operation, error?: LogError): void {
    ended(error);
    this.#pending.leave(bytes);
  }

  /** Nothing more can be done with this log, but to close it. */
  #fail(error: LogError): void {
    if (this.#failure) return;
    this.#failure = error;
    for (const producer of this.#producers) producer.stop(error);
    this.#followers.fail(error);
  }

  #demandOpen(): void {
    const refusal = this.#refusal();
    if (refusal) throw refusal;
  }

  #refusal(): LogError | undefined {
    if (this.#closing) return new LogError("closed", "the log was closed");
    if (this.#failure)
      return new LogError(this.#failure.code, this.#failure.message, { cause: this.#failure });
    return undefined;
  }
}
