// Followers. Each reads the topic itself, on a connection of its own: so a slow or late one holds up nobody, and
// nothing is kept for it. A process has one, or a few.

import type { KafkaMessage } from "kafkajs";
import { READ } from "../limits.ts";
import { type Follower, type Following, LogError, type Offset } from "../log.ts";
import type { Client } from "./client.ts";
import { Connection } from "./connection.ts";
import type { Health } from "./health.ts";
import type { Identity } from "./identity.ts";
import { type Loss, TopicReader } from "./reader.ts";
import { entryOf } from "./records.ts";

export interface FollowersOptions {
  readonly client: Client;
  readonly topic: string;
  readonly health: Health;
  readonly identity: Identity;
  readonly max: number;
  /** The topic is not the log that it was, whoever reads it. */
  readonly lost: (error: LogError) => void;
}

/** All followers of a log. */
export class Followers {
  readonly #options: FollowersOptions;
  readonly #followings = new Set<KafkaFollowing>();

  constructor(options: FollowersOptions) {
    this.#options = options;
  }

  follow(from: Offset, follower: Follower): Following {
    const { max } = this.#options;
    if (!Number.isSafeInteger(from) || from < 0) throw new RangeError(`${from} is not an offset`);
    if (this.#followings.size >= max) throw new LogError("overloaded", `${max} followers are there already`);
    const following: KafkaFollowing = new KafkaFollowing(from, follower, this.#options, () =>
      this.#followings.delete(following),
    );
    this.#followings.add(following);
    return following;
  }

  fail(error: LogError): void {
    for (const following of [...this.#followings]) following.fail(error);
  }

  close(): void {
    for (const following of [...this.#followings]) following.close();
  }
}

class KafkaFollowing implements Following {
  readonly #follower: Follower;
  readonly #options: FollowersOptions;
  readonly #reader: TopicReader;
  readonly #closed: () => void;
  #open = true;

  constructor(from: Offset, follower: Follower, options: FollowersOptions, closed: () => void) {
    const { client, topic, health } = options;
    this.#follower = follower;
    this.#options = options;
    this.#closed = closed;
    this.#reader = new TopicReader({
      connection: new Connection(client, topic),
      timings: client.timings,
      health,
      from,
      take: (messages) => this.#take(messages),
      begins: (low) => this.#lookAtHead(low),
      lost: (loss) => this.#lost(loss),
    });
    void this.#reader.run();
  }

  get lag_ms(): number {
    return this.#reader.lag_ms;
  }

  close(): void {
    this.#open = false;
    this.#reader.close();
    this.#closed();
  }

  /** Whoever starts from now on cannot read the log. Those who have read it can go on. */
  #lookAtHead(low: Offset): void {
    if (low === 0) return;
    const { health, identity, topic } = this.#options;
    health.trouble(`keeping ${topic}`, identity.lost(`its first ${low} records have been deleted`));
  }

  #lost(loss: Loss): void {
    const { identity, lost } = this.#options;
    const error = identity.lost(loss.message);
    // One that has asked for what never was there is its own fault.
    if (loss.kind !== "ends_before" || this.#reader.begun) lost(error);
    this.fail(error);
  }

  /** Some at a time: a long catch-up leaves the event loop to others between. */
  async #take(messages: readonly KafkaMessage[]): Promise<void> {
    if (messages[0]?.offset === "0") this.#options.identity.learn(messages[0]);
    for (let at = 0; at < messages.length && this.#open; at += READ.records) {
      if (at > 0) await new Promise((resolve) => setImmediate(resolve));
      if (this.#open) this.#deliver(messages.slice(at, at + READ.records));
    }
  }

  #deliver(messages: readonly KafkaMessage[]): void {
    try {
      this.#follower.entries(messages.map((message) => entryOf(message, Number(message.offset))));
    } catch (cause) {
      // It must not, but one that does takes no other along, nor the writers.
      this.fail(new LogError("unavailable", "the follower threw", { cause }));
    }
  }

  fail(error: LogError): void {
    if (!this.#open) return;
    this.close();
    this.#follower.failed(error);
  }
}
