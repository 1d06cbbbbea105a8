// Where a node's log comes from: the configuration's place of it, as something that can be opened.

import { hostname } from "node:os";
import { openKafkaLog, openSqliteLog, type TicketLog } from "@usher/ticket-log";
import type { Config, KafkaLog } from "./config/config.ts";

export interface LogSource {
  /** The log is somewhere else, and shared: while it cannot be opened it is waited for, and the keys must be there
   * before it is. A log of this machine's own is there or not, and its node makes the keys with it. */
  readonly elsewhere: boolean;
  /** The node's name where the configuration gives none. `port`: its gateway's. */
  nameFor(port: number): string;
  /** Rejects with a `LogError`. */
  open(opening: Opening): Promise<TicketLog>;
}

export interface Opening {
  /** Who opens it. */
  readonly node: string;
  /** Told of what goes wrong beside any call, and when that is over. */
  readonly onFault: (error: Error) => void;
  readonly onMended: (message: string) => void;
}

export function logSource(config: Config): LogSource {
  const { log } = config;
  if (log.kind === "kafka") return kafkaSource(log, payloadRetention_ms(config));
  return {
    elsewhere: false,
    // One is enough, and it is the same whatever the port: a log in a file has one node.
    nameFor: () => "embedded",
    open: () => openSqliteLog({ directory: log.directory }),
  };
}

function kafkaSource(log: KafkaLog, payload_retention_ms: number): LogSource {
  const { brokers, topics, replication, tls, sasl, spool } = log;
  return {
    elsewhere: true,
    nameFor: (port) => `${hostname()}:${port}`,
    open: (opening) =>
      openKafkaLog({
        ...{ brokers, topics, replication, spool, payload_retention_ms, ...opening },
        ...(tls && { tls: { ca: tls.ca, ...tls.own } }),
        ...(sasl && { sasl }),
      }),
  };
}

const DAY_MS = 24 * 60 * 60_000;

/** How long a Kafka cluster is to keep stored requests and responses, in milliseconds: as long as any of them may wait,
 * be answered and be collected, by the configuration; at least a day, for what operators allow while it runs. */
export function payloadRetention_ms({ queues, routes }: Pick<Config, "queues" | "routes">): number {
  const longest = (times: readonly number[]): number => Math.max(0, ...times);
  const needed_ms =
    longest(queues.map(({ settings }) => settings.max_wait_ms)) +
    longest(routes.map(({ timeout_ms }) => timeout_ms)) +
    longest(queues.map(({ settings }) => settings.key_retention_ms));
  return Math.max(DAY_MS, needed_ms);
}
