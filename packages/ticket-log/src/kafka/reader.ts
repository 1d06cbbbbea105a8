// Reads one topic, from an offset on, for ever: each record once, in order, or an end with a reason. There is no
// consumer group: nobody to rebalance with, and nothing that could set the offset to anything else.
//
// After every failure, and after every pause in which anything may have happened, it looks whether the record before
// the next is still the very one that it has read. So a topic that was made anew or cut short is never taken for the
// one that it was, however many records it has by then.

import type { KafkaMessage } from "kafkajs";
import { LogError, type Offset } from "../log.ts";
import type { Connection } from "./connection.ts";
import { errorOf, faultOf } from "./errors.ts";
import { type Brought, fetch, fingerprint, type RawMessage, rangeOf } from "./fetching.ts";
import type { Health } from "./health.ts";
import type { KafkaTimings } from "./options.ts";
import { Pause, pauseBefore } from "./pause.ts";

export interface ReaderOptions {
  readonly connection: Connection;
  readonly timings: KafkaTimings;
  readonly health: Health;
  /** The first offset to be read. */
  readonly from: Offset;
  /** The record before it, when it was read earlier. */
  readonly before?: Uint8Array | undefined;
  /** Takes what was read, in order; the next is read when it has resolved, and the same again if it rejects. `next`
   * follows the last, and is more than one beyond it where Kafka's own records are; `before` is the record there. */
  readonly take: (messages: readonly KafkaMessage[], next: Offset, before: Uint8Array) => Promise<void>;
  /** Told after each fetch where the topic begins. */
  readonly begins?: (low: Offset) => void;
  /** The topic cannot be read any further. The last call. */
  readonly lost: (loss: Loss) => void;
}

/**
 * - `begins_later`: records that are needed have been deleted.
 * - `ends_before`, `another`: the topic was made anew, or its end was cut off.
 * - `missing`: the topic is gone.
 * - `unreadable`: a record that this build cannot decode.
 */
export interface Loss {
  readonly kind: "begins_later" | "ends_before" | "another" | "missing" | "unreadable";
  readonly message: string;
  /** Where the topic begins now, where that is known. */
  readonly low?: Offset;
}

/** Faster than this, in milliseconds, no cluster deletes a topic and has another of its name filled; 25: by default, the
 * controller alone lingers as long over each of the two orders, and the quickest seen took 140. Looking costs one small
 * fetch, and none while records come quickly. */
const REMADE_MS = 25;

/** A record, by what tells it from any other at its offset. */
interface Mark {
  readonly offset: Offset;
  readonly print: Uint8Array;
}

interface Fetched extends Brought {
  /** When what it says was surely so. */
  readonly seen_ms: number;
}

class LossError extends Error {
  readonly loss: Loss;

  constructor(loss: Loss) {
    super(loss.message);
    this.loss = loss;
  }
}

export class TopicReader {
  readonly #options: ReaderOptions;
  readonly #topic: string;
  /** For `Health`. */
  readonly #part: string;
  readonly #pause = new Pause();
  #next: Offset;
  /** The record before the next, as `fingerprint` has it. */
  #before: Uint8Array | undefined;
  /** The first record that was read. */
  #first: Mark | undefined;
  #open = true;
  /** Whether `#before` is believed to be in the topic still. */
  #verified = false;
  /** When it surely was. */
  #sure_ms = Number.NEGATIVE_INFINITY;
  /** When it was seen to have read to the end. */
  #read_ms = Number.NEGATIVE_INFINITY;
  /** When the last fetch that ended well was begun. */
  #fetched_ms = Number.NEGATIVE_INFINITY;
  /** Since when the topic has been missing while the cluster answered. */
  #missing_ms: number | undefined;
  /** Since when the topic has ended before what is needed. */
  #short_ms: number | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#topic = options.connection.topic;
    this.#part = `reading ${this.#topic}`;
    this.#next = options.from;
    this.#before = options.before;
  }

  /** Whether anything was read. */
  get begun(): boolean {
    return this.#first !== undefined;
  }

  get lag_ms(): number {
    return performance.now() - this.#read_ms;
  }

  async run(): Promise<void> {
    const { connection, health, timings, lost } = this.#options;
    const { login, topic } = connection;
    for (let failures = 0; this.#open; ) {
      try {
        await this.#step();
        if (this.#open) health.well(this.#part);
        failures = 0;
        continue;
      } catch (error) {
        if (!this.#open) return;
        if (error instanceof LossError) {
          this.close();
          lost(error.loss);
          return;
        }
        this.#verified = false;
        health.trouble(this.#part, errorOf(error, { login, operation: "Read", topic }));
        connection.recover(error);
        failures++;
      }
      await this.#pause.sleep(pauseBefore(failures, timings.pause_ms));
    }
  }

  close(): void {
    this.#open = false;
    this.#pause.end();
    this.#options.connection.close();
  }

  async #step(): Promise<void> {
    // After a pause, the process may have slept through anything.
    if (performance.now() - this.#fetched_ms > 2 * this.#options.timings.poll_ms) this.#verified = false;
    if (!this.#verified) await this.#verify();
    const begun_ms = performance.now();
    const fetched = await this.#fetch(this.#next, this.#options.timings.poll_ms);
    // Since it was looked at last, and while the fetch was waiting, another may have been put into its place.
    if (fetched.messages.length > 0 && performance.now() - this.#sure_ms > REMADE_MS) await this.#verify();
    if (!this.#open) return;
    this.#options.begins?.(fetched.low);
    const { messages, next, last } = this.#consecutive(fetched.messages);
    const [head] = fetched.messages;
    if (last === undefined && fetched.high > this.#next)
      throw new LogError(
        "unavailable",
        `Kafka has more records than ${this.#next} of ${this.#topic}, and sends none`,
      );
    if (head && last) {
      const before = fingerprint(last);
      await this.#options.take(messages, next, before);
      this.#first ??= { offset: this.#next, print: fingerprint(head) };
      this.#before = before;
      this.#next = next;
      this.#sure_ms = Math.max(this.#sure_ms, begun_ms);
    }
    // A broker that tells of less than was read has only just become the leader, and does not know the end yet.
    const ended = last ? this.#next >= fetched.high : this.#next === fetched.high;
    if (ended) this.#read_ms = fetched.seen_ms;
  }

  /** Demands that offsets go up by one, Kafka's own records included, and leaves those out. */
  #consecutive(raw: readonly RawMessage[]): {
    messages: KafkaMessage[];
    next: Offset;
    /** The one before `next`; absent where there was nothing new. */
    last: RawMessage | undefined;
  } {
    const messages: KafkaMessage[] = [];
    let next = this.#next;
    let last: RawMessage | undefined;
    for (const message of raw) {
      const offset = Number(message.offset);
      // A broker whose disk failed in the middle of a write may have a batch twice, and the first counts: Kafka's own
      // clients pass over it, too.
      if (offset < next) continue;
      if (offset > next) {
        throw new LossError({
          kind: "begins_later",
          message: `the record at offset ${next} is missing, and ${offset} comes instead`,
        });
      }
      next++;
      last = message;
      if (message.isControlRecord !== true) messages.push(message);
    }
    return { messages, next, last };
  }

  async #fetch(from: Offset, wait_ms: number, bytes?: number): Promise<Fetched> {
    const { connection, timings } = this.#options;
    const begun_ms = performance.now();
    try {
      const fetched = await fetch(connection, from, wait_ms, bytes);
      const now_ms = performance.now();
      this.#fetched_ms = begun_ms;
      this.#missing_ms = undefined;
      if (fetched.high >= this.#next) this.#short_ms = undefined;
      // What brings nothing was answered after the wait; that it came late may be because this process slept.
      const seen_ms = fetched.messages.length > 0 ? begun_ms : Math.min(now_ms, begun_ms + wait_ms);
      return { ...fetched, seen_ms };
    } catch (error) {
      const { name, message, type } = faultOf(error);
      if (type !== "UNKNOWN_TOPIC_OR_PARTITION") this.#missing_ms = undefined;
      if (type !== "OFFSET_OUT_OF_RANGE") this.#short_ms = undefined;
      if (type === "OFFSET_OUT_OF_RANGE") await this.#judgeRange(from);
      if (type === "UNKNOWN_TOPIC_OR_PARTITION") this.#judgeMissing(timings.gone_ms);
      if (name === "KafkaJSNotImplemented")
        throw new LossError({
          kind: "unreadable",
          message: `what is at offset ${from} cannot be read: ${message}`,
        });
      throw error;
    }
  }

  /** Throws a `LossError` when the record before the next is not the one that it was. */
  async #verify(): Promise<void> {
    const begun_ms = performance.now();
    if (this.#before !== undefined) {
      const { messages, low, high } = await this.#fetch(this.#next - 1, 0, 1);
      const [first] = messages;
      if (first === undefined && high < this.#next) await this.#judgeShort(low, high, this.#next);
      if (first === undefined || !Buffer.from(this.#before).equals(fingerprint(first))) {
        throw new LossError({
          kind: "another",
          message: `at offset ${this.#next - 1} there is not the record that was read there before`,
        });
      }
    }
    this.#verified = true;
    this.#sure_ms = begun_ms;
  }

  async #judgeRange(from: Offset): Promise<void> {
    const { low, high } = await rangeOf(this.#options.connection);
    if (from < low)
      throw new LossError({
        kind: "begins_later",
        message: `it begins at offset ${low}, and ${from} is needed`,
        low,
      });
    if (from > high) await this.#judgeShort(low, high, from);
  }

  /** A broker that has only just become the leader does not know for a while how far all have the log, and tells of
   * less than it has. Throws a `LossError` when that lasts, and at once when it is another log by its first record. */
  async #judgeShort(low: Offset, high: Offset, needed: Offset): Promise<never> {
    const message = `it ends at offset ${high}, and ${needed} is asked for`;
    if (this.#first && this.#first.offset < high) {
      const { messages } = await fetch(this.#options.connection, this.#first.offset, 0, 1);
      const [found] = messages;
      if (found && !Buffer.from(this.#first.print).equals(fingerprint(found)))
        throw new LossError({ kind: "another", message: `${message}; it holds other records`, low });
    }
    const now_ms = performance.now();
    this.#short_ms ??= now_ms;
    if (now_ms - this.#short_ms >= this.#options.timings.short_ms)
      throw new LossError({ kind: "ends_before", message, low });
    throw new LogError("unavailable", `${this.#topic}: ${message}`);
  }

  #judgeMissing(gone_ms: number): void {
    const now_ms = performance.now();
    this.#missing_ms ??= now_ms;
    if (now_ms - this.#missing_ms >= gone_ms) throw new LossError({ kind: "missing", message: "it is gone" });
  }
}
