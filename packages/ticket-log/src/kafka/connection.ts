// The way to the broker that leads one topic's only partition. What fails is thrown away with all it knew, and made
// anew from the brokers that were named: so there is no state to mend.

import type { Broker, Cluster } from "kafkajs";
import { LogError } from "../log.ts";
import type { Client, Link } from "./client.ts";
import { faultOf, type Login, TimeoutError } from "./errors.ts";
import type { KafkaTimings } from "./options.ts";

/** kafkajs's, with what its types leave out. */
export type Leader = Broker & {
  initProducerId(request: {
    transactionTimeout: number;
  }): Promise<{ producerId: string; producerEpoch: number }>;
};

export class Connection {
  readonly topic: string;
  readonly #client: Client;
  #link: Link | undefined;
  #leader: Leader | undefined;
  /** Until when what is known of the leader is believed. */
  #known_ms = 0;
  /** How often everything was given up. */
  #forgotten = 0;
  #closed = false;

  constructor(client: Client, topic: string) {
    this.#client = client;
    this.topic = topic;
  }

  get timings(): KafkaTimings {
    return this.#client.timings;
  }

  get login(): Login {
    return this.#client.login;
  }

  /** The broker that leads the topic, connected. */
  async leader(): Promise<Leader> {
    if (this.#leader?.isConnected() && performance.now() < this.#known_ms) return this.#leader;
    const { connect_ms, request_ms, metadata_ms } = this.timings;
    this.#leader = await this.within(connect_ms + request_ms, this.#find());
    this.#known_ms = performance.now() + metadata_ms;
    return this.#leader;
  }

  /** Runs a request against the leader, within the time for one, or a given one. */
  async ask<A>(request: (leader: Leader) => Promise<A>, ms = this.timings.request_ms): Promise<A> {
    const leader = await this.leader();
    return await this.within(ms, request(leader));
  }

  /** The same with what goes through kafkajs's cluster. */
  async askCluster<A>(request: (cluster: Cluster) => Promise<A>): Promise<A> {
    await this.leader();
    return await this.within(this.timings.request_ms, request(this.#demandLink().cluster));
  }

  /** Rejects with a `TimeoutError` and gives the connections up when it takes longer. */
  async within<A>(ms: number, promise: Promise<A>): Promise<A> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new TimeoutError(ms)), ms);
    });
    try {
      return await Promise.race([promise, late]);
    } catch (error) {
      if (error instanceof TimeoutError) this.forget();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What to do before the next try: where Kafka said no, the connection is good, though perhaps to the wrong broker. */
  recover(error: unknown): void {
    if (faultOf(error).type === undefined) this.forget();
    else this.#known_ms = 0;
  }

  /** Gives up all connections, and begins anew at the next request. */
  forget(): void {
    this.#forgotten++;
    this.#link?.cut();
    this.#link = undefined;
    this.#leader = undefined;
  }

  close(): void {
    this.#closed = true;
    this.forget();
  }

  async #find(): Promise<Leader> {
    if (this.#link === undefined) await this.#reach();
    const { cluster } = this.#demandLink();
    await cluster.connect();
    await cluster.addTargetTopic(this.topic);
    await cluster.refreshMetadata();
    const [nodeId] = Object.keys(cluster.findLeaderForPartitions(this.topic, [0]));
    if (nodeId === undefined) throw new LogError("unavailable", `the topic ${this.topic} has no leader`);
    return (await cluster.findBroker({ nodeId })) as Leader;
  }

  async #reach(): Promise<void> {
    this.#demandOpen();
    const forgotten = this.#forgotten;
    const link = await this.#client.reach();
    // Whoever asked may have given up, and another may have been reached meanwhile.
    const late = this.#forgotten !== forgotten || this.#link !== undefined;
    if (this.#closed || late) link.cut();
    this.#demandOpen();
    if (late) throw new LogError("unavailable", "the connection was given up");
    this.#link = link;
  }

  #demandLink(): Link {
    if (this.#link === undefined) throw new LogError("unavailable", "the connection was given up");
    return this.#link;
  }

  #demandOpen(): void {
    if (this.#closed) throw new LogError("closed", "the log was closed");
  }
}
