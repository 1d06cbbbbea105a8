// The settings that the topics must have: what they are made with, and what those that are there already are held to.

import { BATCH, type LogLimits } from "../limits.ts";

/** A setting of a topic. */
export interface Setting {
  readonly name: string;
  /** What it is made with, and what is advised. */
  readonly wanted: string;
  /** Whether another value does, too. */
  readonly fits: (found: string) => boolean;
  /** Why. */
  readonly reason: string;
}

export interface TopicSettings {
  readonly topic: string;
  readonly settings: readonly Setting[];
}

/** What Kafka takes in one message by default. */
const MESSAGE_BYTES = 1_048_588;

/** What keys, headers and framing add to a full batch at most. */
const FRAMING_BYTES = 256 * 1024;

export interface TopicsWanted {
  readonly prefix: string;
  readonly replication: number;
  readonly payload_retention_ms: number;
  readonly limits: LogLimits;
}

/** How many in-sync replicas must have a record before it counts as written: one may be down. But two at least, where
 * there are as many, so that it is not lost with one. */
export function inSyncMin(replication: number): number {
  return Math.min(replication, Math.max(2, replication - 1));
}

export function queuesSettings({ prefix, replication, limits }: TopicsWanted): TopicSettings {
  const bytes = Math.max(MESSAGE_BYTES, limits.entry_bytes_max + FRAMING_BYTES, BATCH.bytes + FRAMING_BYTES);
  return {
    topic: `${prefix}.queues`,
    settings: [
      ...common(replication, bytes),
      exactly("retention.ms", "-1", "every record is needed, for ever"),
      exactly("retention.bytes", "-1", "every record is needed, for ever"),
    ],
  };
}

export function payloadsSettings({ prefix, replication, payload_retention_ms }: TopicsWanted): TopicSettings {
  return {
    topic: `${prefix}.payloads`,
    settings: [
      ...common(replication, MESSAGE_BYTES),
      {
        name: "retention.ms",
        wanted: String(payload_retention_ms),
        fits: (found) => Number(found) === -1 || Number(found) >= payload_retention_ms,
        reason: "stored requests and answers must be there as long as somebody may come for them",
      },
      exactly("retention.bytes", "-1", "stored requests must not go before their time"),
    ],
  };
}

function common(replication: number, message_bytes: number): Setting[] {
  const inSync = inSyncMin(replication);
  return [
    exactly("cleanup.policy", "delete", "compaction would take records out of the middle"),
    {
      name: "min.insync.replicas",
      wanted: String(inSync),
      fits: (found) => Number(found) >= inSync,
      reason: "what was acknowledged must survive the loss of a broker",
    },
    {
      name: "max.message.bytes",
      wanted: String(message_bytes),
      fits: (found) => Number(found) >= message_bytes,
      reason: "a full batch must fit",
    },
    {
      name: "compression.type",
      wanted: "uncompressed",
      fits: (found) => found === "uncompressed" || found === "gzip",
      reason: "with another a stranger's record could be one that no node can read",
    },
    exactly(
      "message.timestamp.type",
      "LogAppendTime",
      "a node whose clock is wrong could not write, or would write what expires at once",
    ),
    exactly("unclean.leader.election.enable", "false", "what was acknowledged must not be lost"),
  ];
}

function exactly(name: string, wanted: string, reason: string): Setting {
  return { name, wanted, fits: (found) => found === wanted, reason };
}
