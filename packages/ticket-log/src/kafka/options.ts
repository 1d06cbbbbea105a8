// What a Kafka log is opened with.

import type { ConnectionOptions } from "node:tls";
import type { LogLimits } from "../limits.ts";
import { LogError } from "../log.ts";

export interface KafkaLogOptions {
  /** Where to begin: "host:port" of some of the cluster's brokers. */
  readonly brokers: readonly string[];
  /** This node's name, as brokers see it in their logs and metrics. */
  readonly node: string;
  /** Where this node keeps the payloads that it has followed, and what it remembers of the log. One process at a time. */
  readonly spool: SpoolOptions;
  /** What the topics' names begin with, "usher": `usher.queues` and `usher.payloads`. */
  readonly topics?: string;
  /** How many brokers hold each record; 3. A record counts as written when all but one of them have it, and two at least:
   * with 2, nothing can be written while one is down; with 1, what is on a broker is lost with its disk. */
  readonly replication?: number;
  /** How long the cluster must keep payloads at least, in milliseconds. */
  readonly payload_retention_ms: number;
  /** Absent: without TLS. True: with the system's certificates. */
  readonly tls?: KafkaTls | true;
  /** Absent: without a password. */
  readonly sasl?: KafkaSasl;
  readonly limits?: Partial<LogLimits>;
  /** The wall clock by which payloads age, in milliseconds; `Date.now`. */
  readonly now?: () => number;
  /** Told of trouble with Kafka that lasts, beside any call; once for each trouble, not for each try. */
  readonly onFault: (error: LogError) => void;
  /** Told when such a trouble is over. */
  readonly onMended?: (message: string) => void;
  /** For tests. */
  readonly timings?: Partial<KafkaTimings>;
}

export interface SpoolOptions {
  /** Made, for its owner alone, when it is missing. */
  readonly directory: string;
  /** How many bytes of payloads it keeps; 1 GiB. What is beyond it is fetched from the topic again when it is asked for. */
  readonly bytes_max?: number;
}

export type KafkaTls = Pick<
  ConnectionOptions,
  "ca" | "cert" | "key" | "passphrase" | "servername" | "rejectUnauthorized"
>;

export interface KafkaSasl {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

/** How long things take at most, in milliseconds. */
export interface KafkaTimings {
  /** Connecting to one broker; 3,000. */
  readonly connect_ms: number;
  /** One request and its answer; 5,000. Then the connection is given up, and the broker perhaps, too. */
  readonly request_ms: number;
  /** All tries of a write together, so that it rides out the fail-over of a broker; 30,000. */
  readonly retry_ms: number;
  /** The longest pause between two tries; 1,000. The first is about a tenth of it. */
  readonly pause_ms: number;
  /** How long a broker keeps a reader waiting when there is nothing new; 500. So often it is seen that all is well. */
  readonly poll_ms: number;
  /** How old a cached answer about who leads the topic may be; 5,000. */
  readonly metadata_ms: number;
  /** How long a topic must be missing, while the cluster answers, to count as deleted; 3,000. */
  readonly gone_ms: number;
  /** How long a topic must end before what was read of it to count as cut short; 45,000: a new leader may have to wait
   * half a minute, by Kafka's defaults, until it knows how far the others have it. */
  readonly short_ms: number;
  /** How long a payload that is asked for, or a drop, may wait for the spool to have followed; 5,000. */
  readonly payload_wait_ms: number;
  /** Opening the log: no try begins after this; 5,000. One that has begun may take two or three times as long. */
  readonly open_ms: number;
  /** How long a trouble lasts before it is told; 1,000. */
  readonly trouble_ms: number;
}

export const KAFKA_TIMINGS: KafkaTimings = {
  connect_ms: 3_000,
  request_ms: 5_000,
  retry_ms: 30_000,
  pause_ms: 1_000,
  poll_ms: 500,
  metadata_ms: 5_000,
  gone_ms: 3_000,
  short_ms: 45_000,
  payload_wait_ms: 5_000,
  open_ms: 5_000,
  trouble_ms: 1_000,
};

/** Throws a `LogError` for what is no list of brokers. */
export function brokersOf(brokers: readonly string[]): readonly string[] {
  if (brokers.length === 0) throw new LogError("misconfigured", "no broker is named (log, --log)");
  for (const broker of brokers) {
    const [, port] = /^(?:[^:/\s]+|\[[0-9a-f:.]+\]):(\d{1,5})$/i.exec(broker) ?? [];
    if (port === undefined || Number(port) < 1 || Number(port) > 65_535)
      throw new LogError(
        "misconfigured",
        `"${broker}" is no broker: it takes host:port, or [IPv6]:port (log, --log)`,
      );
  }
  return brokers;
}
