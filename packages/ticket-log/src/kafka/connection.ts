// The way to the broker that leads one topic's only partition. What fails is thrown away with all it knew, and made
// anew from the brokers that were named: so there is no state to mend.

import type { Broker, Cluster } from "kafkajs";
import type { Client, Link } from "./client.ts";
import { TimeoutError } from "./errors.ts";
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
  #stale = false;
  #closed = false;

  constructor(client: Client, topic: string) {
    this.#client = client;
    this.topic = topic;
  }

  get timings(): KafkaTimings {
    return this.#client.timings;
  }

  /** The broker that leads the topic, connected. */
  async leader(): Promise<Leader> {
    const known = this.#leader;
    if (known?.isConnected() && performance.now() < this.#known_ms) return known;
    if (this.#closed) throw new Error("the connection was closed");
    const { timings } = this.#client;
    this.#link ??= this.#client.link();
    this.#leader = await this.within(timings.connect_ms + timings.request_ms, this.#find(this.#link));
    this.#known_ms = performance.now() + timings.metadata_ms;
    return this.#leader;
  }

  /** Runs a request against the leader, within the time for one, or a given one. */
  async ask<A>(request: (leader: Leader) => Promise<A>, ms = this.#client.timings.request_ms): Promise<A> {
    const leader = await this.leader();
    return await this.within(ms, request(leader));
  }

  /** The same with what goes through kafkajs's cluster. */
  async clusterAsk<A>(request: (cluster: Cluster) => Promise<A>): Promise<A> {
    await this.leader();
    const link = this.#link;
    if (link === undefined) throw new Error("the connection was given up");
    return await this.within(this.#client.timings.request_ms, request(link.cluster));
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

  /** Asks anew who leads, before the next request. */
  refresh(): void {
    this.#known_ms = 0;
    this.#stale = true;
  }

  /** Gives up all connections, and begins anew at the next request. */
  forget(): void {
    this.#link?.cut();
    this.#link = undefined;
    this.#leader = undefined;
    this.#known_ms = 0;
  }

  close(): void {
    this.#closed = true;
    this.forget();
  }

  async #find({ cluster }: Link): Promise<Leader> {
    await cluster.connect();
    await cluster.addTargetTopic(this.topic);
    if (this.#stale || performance.now() >= this.#known_ms) await cluster.refreshMetadata();
    this.#stale = false;
    const [nodeId] = Object.keys(cluster.findLeaderForPartitions(this.topic, [0]));
    if (nodeId === undefined) throw new Error(`${this.topic} has no leader`);
    return (await cluster.findBroker({ nodeId })) as Leader;
  }
}
