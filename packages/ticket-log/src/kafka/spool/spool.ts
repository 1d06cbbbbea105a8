// The payloads that this node has followed. The map of this folder:
//
//   spool.ts      the main thread's side: follows the topic, answers and waits
//   worker.ts     the thread that owns the database; messages.ts: what the two say
//   store.ts      the tables
//   recall.ts     fetches again what there was no room for

import type { KafkaMessage } from "kafkajs";
import { LogError, type Offset, type PayloadKey, type TicketKey } from "../../log.ts";
import { prepareDirectory } from "../../sqlite/directory.ts";
import { Thread } from "../../sqlite/thread.ts";
import type { Client } from "../client.ts";
import { Connection } from "../connection.ts";
import { Ends } from "../ends.ts";
import type { Health } from "../health.ts";
import type { SpoolOptions } from "../options.ts";
import { type Loss, TopicReader } from "../reader.ts";
import { partOf } from "../records.ts";
import { joined } from "./joined.ts";
import {
  type Room,
  SPOOL_PROGRAM,
  type SpoolOpened,
  type SpoolRequests,
  type SpoolSettings,
} from "./messages.ts";
import { Recall } from "./recall.ts";

const FILE = "spool.db";

const BYTES_MAX = 1024 ** 3;

type SpoolThread = Thread<SpoolRequests, SpoolOpened>;

export interface FeedOptions {
  readonly client: Client;
  readonly topic: string;
  readonly health: Health;
  /** Where the topic begins. */
  readonly low: Offset;
}

/** How many of this process's own puts it remembers until they have been followed: about what may wait to be written.
 * Beyond it, what one of them replaced may be seen for a moment longer. */
const OWN_PUTS_MAX = 20_000;

type Feed = FeedOptions & { readonly ends: Ends; readonly recall: Recall };

interface Waiting {
  readonly end: Offset;
  readonly resolve: () => void;
}

export class Spool {
  /** The log's first record, as far as this node knows it. */
  first: Uint8Array | undefined;
  readonly #thread: SpoolThread;
  readonly #bytes_max: number;
  #next: Offset | undefined;
  #before: Uint8Array | undefined;
  #feed: Feed | undefined;
  #reader: TopicReader | undefined;
  #closed = false;
  #waiting: Waiting[] = [];
  /** This process's puts that have not been followed yet: where the topic must be followed to; in rising order. */
  readonly #own = new Map<string, Offset>();

  /** Opens it, for this process alone. Rejects with a `LogError`. */
  static async open({ directory, bytes_max = BYTES_MAX }: SpoolOptions): Promise<Spool> {
    const file = await prepareDirectory(directory, FILE);
    const settings: SpoolSettings = { file, bytes_max };
    const { thread, opened } = await Thread.start<SpoolRequests, SpoolOpened>(SPOOL_PROGRAM, settings);
    return new Spool(thread, opened, bytes_max);
  }

  private constructor(thread: SpoolThread, { next, before, first }: SpoolOpened, bytes_max: number) {
    this.#thread = thread;
    this.#bytes_max = bytes_max;
    this.#next = next;
    this.#before = before;
    this.first = first;
  }

  onFailure(call: (error: LogError) => void): void {
    this.#thread.onFailure(call);
  }

  /** Remembers which log this is. */
  async identify(first: Uint8Array): Promise<void> {
    this.first = first;
    await this.#ask("identify", { first });
  }

  /** Begins to follow the topic, where it was left. */
  follow(feed: FeedOptions): void {
    const { client, topic } = feed;
    const [ends, recall] = [new Connection(client, topic), new Connection(client, topic)];
    this.#feed = { ...feed, ends: new Ends(ends), recall: new Recall(recall) };
    this.#read(this.#next ?? feed.low, this.#next === undefined ? undefined : this.#before);
  }

  /** This process has put a payload, which is there when the topic has been followed to `end`. */
  wrote(key: PayloadKey, end: Offset): void {
    this.#own.delete(nameOf(key));
    this.#own.set(nameOf(key), end);
    const [oldest] = this.#own.keys();
    if (this.#own.size > OWN_PUTS_MAX && oldest !== undefined) this.#own.delete(oldest);
  }

  /** What is not here may be on its way: it is absent only when all that is in the topic by now was looked at, and when
   * the topic has lost what had no room here. Rejects with "unavailable" when that takes too long to tell. */
  async payload(key: PayloadKey): Promise<Uint8Array | undefined> {
    const own = this.#own.get(nameOf(key));
    if (own !== undefined) await this.#reaches(async () => own);
    const bytes = await this.#find(key);
    if (bytes !== undefined || own !== undefined) return bytes;
    await this.catchUp();
    return await this.#find(key);
  }

  async drop(keys: readonly TicketKey[]): Promise<void> {
    this.#tellRoom(await this.#ask("drop", { keys }));
  }

  /** Some at a time, so that others get their turn between. */
  async expire(before_ms: number): Promise<void> {
    for (let more = true; more; ) {
      const answer = await this.#ask("expire", { before_ms });
      this.#tellRoom(answer);
      more = answer.more;
    }
  }

  /** Waits until all that is in the topic now is here. Rejects with "unavailable" when that takes too long. */
  async catchUp(): Promise<void> {
    await this.#reaches(() => this.#demandFeed().ends.ask());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#reader?.close();
    this.#feed?.ends.close();
    this.#feed?.recall.close();
    await this.#thread.close();
  }

  async #find(key: PayloadKey): Promise<Uint8Array | undefined> {
    const { bytes, places } = await this.#ask("payload", { key });
    return places === undefined ? bytes : await this.#demandFeed().recall.payload(places);
  }

  /** Each time that the spool gets full is told once. */
  #tellRoom({ full }: Room): void {
    const { health, topic } = this.#demandFeed();
    const part = `keeping all of ${topic} that is needed`;
    if (!full) health.well(part);
    else {
      const what =
        `there is no room here for all of ${topic} that is needed: the spool keeps ${this.#bytes_max} bytes ` +
        "(kafka.spool.max_bytes). What it has not is fetched again when its turn comes, which takes longer";
      health.trouble(part, new LogError("overloaded", what));
    }
  }

  async #reaches(target: () => Promise<Offset>): Promise<void> {
    const { timings } = this.#demandFeed().client;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = `the payloads have not been followed to their end within ${timings.payload_wait_ms / 1000} s`;
    const timer = setTimeout(() => reject(new LogError("unavailable", late)), timings.payload_wait_ms);
    const wait = (end: Offset) => {
      if ((this.#next ?? 0) >= end) resolve();
      else this.#waiting.push({ end, resolve });
    };
    target().then(wait, reject);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting = this.#waiting.filter((waiting) => waiting.resolve !== resolve);
    }
  }

  #demandFeed(): Feed {
    if (this.#feed === undefined) throw new Error("the spool does not follow yet");
    return this.#feed;
  }

  #read(from: Offset, before: Uint8Array | undefined): void {
    const { client, topic, health } = this.#demandFeed();
    this.#next = from;
    this.#reader = new TopicReader({
      connection: new Connection(client, topic),
      // While it is missing there is nothing to follow; a node that starts makes it anew.
      timings: { ...client.timings, gone_ms: Number.POSITIVE_INFINITY },
      health,
      from,
      before,
      take: (messages, next, before) => this.#take(messages, next, before),
      lost: (loss) => this.#restart(loss),
    });
    if (!this.#closed) void this.#reader.run();
  }

  /** What there is now is followed. When this node was away for longer than payloads are kept, the oldest of those
   * that it has not seen are gone, as they should be. */
  #restart({ kind, message, low = 0 }: Loss): void {
    if (this.#closed) return;
    const { health, topic, recall } = this.#demandFeed();
    if (kind !== "begins_later") {
      recall.forget();
      this.#ask("forgetPlaces", {}).catch(() => {});
      const what = `the topic ${topic} is not what it was: ${message}. Requests and answers that were only there are lost`;
      health.notice(new LogError("unavailable", what));
    }
    this.#read(low, undefined);
  }

  async #take(messages: readonly KafkaMessage[], next: Offset, before: Uint8Array): Promise<void> {
    const parts = messages.flatMap((message) => partOf(message, Number(message.offset)) ?? []);
    const bytes = joined(parts.map((part) => part.bytes));
    const heads = parts.map(({ bytes: own, ...head }) => ({ ...head, length: own.byteLength }));
    this.#tellRoom(await this.#ask("take", { heads, bytes, next, before }, bytes.buffer));
    this.#next = next;
    for (const [name, end] of this.#own) {
      if (end > next) break;
      this.#own.delete(name);
    }
    for (const { end, resolve } of this.#waiting) if (next >= end) resolve();
  }

  #ask<K extends keyof SpoolRequests>(
    kind: K,
    request: SpoolRequests[K]["request"],
    moved?: ArrayBuffer,
  ): Promise<SpoolRequests[K]["answer"]> {
    return new Promise((resolve, reject) => {
      this.#thread.ask(
        kind,
        request,
        (error, answer) => {
          if (answer === undefined) reject(error);
          else resolve(answer);
        },
        moved,
      );
    });
  }
}

function nameOf({ session, sequence, attempt }: PayloadKey): string {
  return `${session}/${sequence}/${attempt}`;
}
