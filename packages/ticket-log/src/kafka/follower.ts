// Followers. Each reads the topic itself, on a connection of its own: so a slow or late one holds up nobody, and
// nothing is kept for it. A process has one, or a few.

import type { KafkaMessage } from "kafkajs";
import { Followings, Receiver } from "../followings.ts";
import { READ } from "../limits.ts";
import type { Follower, Following, LogError, Offset } from "../log.ts";
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
  readonly #followings: Followings<KafkaFollowing>;

  constructor(options: FollowersOptions) {
    this.#options = options;
    this.#followings = new Followings(options.max);
  }

  follow(from: Offset, follower: Follower): Following {
    return this.#followings.add(
      from,
      (closed) => new KafkaFollowing(from, new Receiver(follower, closed), this.#options),
    );
  }

  fail(error: LogError): void {
    this.#followings.fail(error);
  }

  close(): void {
    this.#followings.close();
  }
}

class KafkaFollowing implements Following {
  readonly #receiver: Receiver;
  readonly #options: FollowersOptions;
  readonly #reader: TopicReader;

  constructor(from: Offset, receiver: Receiver, options: FollowersOptions) {
    const { client, topic, health } = options;
    this.#receiver = receiver;
    this.#options = options;
    this.#reader = new TopicReader({
      connection: new Connection(client, topic),
      timings: client.timings,
      health,
      from,
      take: (messages, next) => this.#take(messages, next),
      begins: (low) => this.#lookAtHead(low),
      lost: (loss) => this.#lost(loss),
    });
    void this.#reader.run();
  }

  get lag_ms(): number {
    return this.#reader.lag_ms;
  }

  fail(error: LogError): void {
    this.#reader.close();
    this.#receiver.fail(error);
  }

  close(): void {
    this.#reader.close();
    this.#receiver.close();
  }

  /** Whoever starts from now on cannot read the log. Those who have read it can go on. */
  #lookAtHead(low: Offset): void {
    if (low <= 0) return;
    const { health, identity, topic } = this.#options;
    health.trouble(`keeping ${topic}`, identity.lost(`its first ${low} records have been deleted`));
  }

  #lost(loss: Loss): void {
    const { identity, lost } = this.#options;
    const error = identity.lost(loss.message);
    // One that has asked for what is not there (yet, or any more) ends alone: those who have read it go on.
    const asked = loss.kind === "ends_before" || loss.kind === "begins_later";
    if (!asked || this.#reader.begun) lost(error);
    this.fail(error);
  }

  /** Some at a time: a long catch-up leaves the event loop to others between. Of records that are Kafka's own alone, the
   * follower is told that it is past them: they may be the last for long. */
  async #take(messages: readonly KafkaMessage[], next: Offset): Promise<void> {
    if (messages[0]?.offset === "0") this.#options.identity.learn(messages[0]);
    let at = 0;
    do {
      if (at > 0) await new Promise((resolve) => setImmediate(resolve));
      const entries = messages
        .slice(at, at + READ.records)
        .map((message) => entryOf(message, Number(message.offset)));
      at += READ.records;
      const [following] = messages.slice(at, at + 1);
      this.#receiver.deliver(entries, following === undefined ? next : Number(following.offset));
    } while (at < messages.length && this.#receiver.open);
    // It may have ended by its own doing.
    if (!this.#receiver.open) this.#reader.close();
  }
}
