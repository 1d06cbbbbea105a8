// Kafka's topics, read and written by kcat: a program of others, on another client library than Usher's.

import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { LogEntry } from "./entry.ts";

const run = promisify(execFile);

/** The largest output of one call, in bytes; 1 GiB. A run's log has a few MB. */
const OUTPUT_MAX = 1024 ** 3;

/** How long one call may take, in milliseconds; a minute. */
const CALL_MS = 60_000;

/** How long a broker may wait for something new, in milliseconds; less than the time between two ticks. */
const FETCH_WAIT_MS = 5;

export class Kcat {
  readonly #brokers: string;

  constructor(brokers: readonly string[]) {
    this.#brokers = brokers.join(",");
  }

  /** All that is in partition 0 of a topic now. */
  async read(topic: string): Promise<LogEntry[]> {
    const args = ["-C", "-t", topic, "-p", "0", "-o", "beginning", "-f", FORMAT];
    // The end is where a fetch brings nothing; in a log that grows it must not wait for something.
    const { stdout } = await this.#kcat([...args, "-e", "-q", "-X", `fetch.wait.max.ms=${FETCH_WAIT_MS}`]);
    return parse(stdout).entries;
  }

  /** Who leads partition 0 of a topic: the broker's id. */
  async leader(topic: string): Promise<number> {
    return this.#leaderOf(topic, 0);
  }

  /** The broker that coordinates a group. */
  async coordinator(group: string): Promise<number> {
    const offsets = "__consumer_offsets";
    const { partitions } = await this.#topic(offsets);
    return this.#leaderOf(offsets, Math.abs(javaHash(group)) % partitions.length);
  }

  /** Appends messages as they are, through files in this folder. */
  async write(topic: string, folder: string, messages: readonly Message[]): Promise<void> {
    const alike = Map.groupBy([...messages.entries()], ([, { value, ...rest }]) =>
      JSON.stringify([rest, value === undefined]),
    );
    for (const group of alike.values()) {
      const files = await Promise.all(
        group.map(async ([at, { value }]) => {
          const file = join(folder, `message-${at}`);
          await writeFile(file, value ?? "");
          return file;
        }),
      );
      const [[, { key, value, headers = {}, compression = "none" }]] = group as [[number, Message]];
      const args = ["-P", "-t", topic, "-p", "0", "-z", compression];
      for (const [name, text] of Object.entries(headers)) args.push("-H", `${name}=${text}`);
      if (key !== undefined) args.push("-k", key);
      if (value === undefined) args.push("-Z");
      await this.#kcat([...args, ...files]);
    }
  }

  async #leaderOf(topic: string, partition: number): Promise<number> {
    const { partitions } = await this.#topic(topic);
    const leader = partitions.find((one) => one.partition === partition)?.leader ?? -1;
    if (leader < 0) throw new Error(`nobody leads partition ${partition} of ${topic}`);
    return leader;
  }

  async #topic(topic: string): Promise<TopicMetadata> {
    const { stdout } = await this.#kcat(["-L", "-J", "-t", topic]);
    const { topics }: { topics: TopicMetadata[] } = JSON.parse(stdout.toString());
    const [found] = topics;
    if (found === undefined) throw new Error(`there is no topic ${topic}`);
    return found;
  }

  #kcat(args: readonly string[]): Promise<{ stdout: Buffer }> {
    const options = { encoding: "buffer", maxBuffer: OUTPUT_MAX, timeout: CALL_MS } as const;
    return run("kcat", ["-b", this.#brokers, ...args], options);
  }
}

export interface Message {
  readonly key?: string;
  /** Absent: null, Kafka's tombstone. */
  readonly value: Uint8Array | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly compression?: "none" | "gzip" | "snappy" | "lz4" | "zstd";
}

interface TopicMetadata {
  readonly partitions: readonly { readonly partition: number; readonly leader: number }[];
}

/** Of each message its offset and lengths, as a line, and then its bytes. */
export const FORMAT = "%o %K %S\\n%k%s";

/** What was written in that format: whole messages, and the beginning of another. */
export function parse(bytes: Buffer): { readonly entries: LogEntry[]; readonly rest: Buffer } {
  const entries: LogEntry[] = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf("\n", at);
    const [offset = 0, keyLength = 0, valueLength = 0] = bytes
      .toString("latin1", at, Math.max(at, line))
      .split(" ")
      .map(Number);
    const key = line + 1;
    const value = key + Math.max(0, keyLength);
    const end = value + Math.max(0, valueLength);
    if (line < 0 || end > bytes.length) return { entries, rest: bytes.subarray(at) };
    entries.push({
      offset,
      key: keyLength < 0 ? undefined : bytes.toString("utf8", key, value),
      value: bytes.subarray(value, end),
    });
    at = end;
  }
}

/** As Kafka picks the partition of its offsets that a group belongs to. */
function javaHash(text: string): number {
  let hash = 0;
  for (const character of text) hash = (Math.imul(31, hash) + character.charCodeAt(0)) | 0;
  return hash;
}
