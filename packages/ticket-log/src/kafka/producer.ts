// Writes batches to one topic, one after the other, each exactly once where Kafka can tell: under one producer id with
// rising sequence numbers, so that a batch that is sent again after a lost acknowledgement is recognised.

import type { Message } from "kafkajs";
import { LogError, type Offset } from "../log.ts";
import type { Connection, Leader } from "./connection.ts";
import { errorOf, faultOf, passes, surelyNothingWritten } from "./errors.ts";
import type { Health } from "./health.ts";
import type { KafkaTimings } from "./options.ts";
import { Pause, pauseBefore } from "./pause.ts";

/** Sequence numbers have 31 bits. */
const SEQUENCE_MAX = 2 ** 31 - 1;

const ALL_IN_SYNC_REPLICAS = -1;

/** How much of the time for a request a broker has for it: its answer is to be here before the time is over. */
const BROKERS_SHARE = 0.8;

/** What is asked of Kafka, and which it never uses: there are no transactions. */
const TRANSACTION_TIMEOUT_MS = 60_000;

export interface ProducerOptions {
  readonly connection: Connection;
  readonly timings: KafkaTimings;
  readonly health: Health;
}

interface Identity {
  readonly producerId: string;
  readonly producerEpoch: number;
  sequence: number;
}

interface Produced {
  readonly topics: readonly { readonly partitions: readonly { readonly baseOffset?: string }[] }[];
}

export class Producer {
  readonly #options: ProducerOptions;
  readonly #part: string;
  readonly #pause = new Pause();
  #identity: Identity | undefined;
  /** No batch is tried again after this. */
  #deadline_ms = Number.POSITIVE_INFINITY;
  #stopped: LogError | undefined;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#part = `writing to ${options.connection.topic}`;
  }

  /** Resolves with the first message's offset when all in-sync replicas have the batch. Tries again until the time for
   * retries is over; rejects with a `LogError`. After one of unknown outcome the next batch goes under a new producer
   * id. */
  async send(messages: readonly Message[]): Promise<Offset> {
    const { timings, health } = this.#options;
    const deadline_ms = performance.now() + timings.retry_ms;
    let unknown = false;
    if (this.#stopped) throw this.#stopped;
    if (performance.now() > this.#deadline_ms)
      throw new LogError("unavailable", "the log was closed before Kafka could be reached");
    for (let count = 1; ; count++) {
      const attempt = { sent: false };
      try {
        const first = await this.#try(messages, attempt);
        health.well(this.#part);
        return first;
      } catch (error) {
        unknown ||= attempt.sent && !surelyNothingWritten(error);
        const reason = this.#errorOf(error, attempt.sent, unknown ? "unknown" : "refused");
        health.trouble(this.#part, reason);
        const over = performance.now() > Math.min(deadline_ms, this.#deadline_ms);
        if (over || this.#stopped || !passes(error)) {
          if (unknown) this.#replace();
          throw unknown ? reason : (this.#stopped ?? reason);
        }
        this.#options.connection.recover(error);
      }
      await this.#pause.sleep(pauseBefore(count, timings.pause_ms));
    }
  }

  /** From now on there is only so much time left for all that is sent. */
  hurry(ms: number): void {
    this.#deadline_ms = performance.now() + ms;
  }

  /** Sends nothing more, and lets go of the connection. */
  stop(why: LogError): void {
    this.#stopped ??= why;
    this.#pause.end();
    this.#options.connection.close();
  }

  /** `attempt.sent` becomes true before anything that may be written is sent. */
  async #try(messages: readonly Message[], attempt: { sent: boolean }): Promise<Offset> {
    const { connection } = this.#options;
    if ((this.#identity?.sequence ?? 0) + messages.length > SEQUENCE_MAX) this.#identity = undefined;
    this.#identity ??= await this.#identify();
    const identity = this.#identity;
    const leader = await connection.leader();
    attempt.sent = true;
    const { request_ms } = this.#options.timings;
    const produced = await connection.within(request_ms, this.#produce(leader, messages, identity.sequence));
    identity.sequence += messages.length;
    return Number(produced.topics[0]?.partitions[0]?.baseOffset);
  }

  async #identify(): Promise<Identity> {
    const { connection } = this.#options;
    const request = { transactionTimeout: TRANSACTION_TIMEOUT_MS };
    const identity = await connection.ask((leader) => leader.initProducerId(request));
    return { ...identity, sequence: 0 };
  }

  #produce(leader: Leader, messages: readonly Message[], firstSequence: number): Promise<Produced> {
    const { connection, timings } = this.#options;
    return leader.produce({
      acks: ALL_IN_SYNC_REPLICAS,
      timeout: Math.floor(timings.request_ms * BROKERS_SHARE),
      // kafkajs calls it a number, and takes the text that Kafka's 64 bits need.
      producerId: (this.#identity?.producerId ?? "-1") as unknown as number,
      producerEpoch: this.#identity?.producerEpoch ?? -1,
      topicData: [
        { topic: connection.topic, partitions: [{ partition: 0, firstSequence, messages: [...messages] }] },
      ],
    });
  }

  /** Whatever of the old one is still on its way is cut off, as far as it can be. */
  #replace(): void {
    this.#identity = undefined;
    this.#options.connection.forget();
  }

  #errorOf(error: unknown, sent: boolean, outcome: LogError["outcome"]): LogError {
    const { topic, login } = this.#options.connection;
    // Who may write in any topic may have a producer's id; without that right it is the cluster that refuses one.
    const writing = sent || faultOf(error).type === "CLUSTER_AUTHORIZATION_FAILED";
    const reason = errorOf(error, { login, operation: writing ? "Write" : "Describe", topic }, outcome);
    if (outcome === "refused") return reason;
    return new LogError(reason.code, `${reason.message}; what was sent before may have been written`, {
      outcome,
      cause: error,
    });
  }
}
