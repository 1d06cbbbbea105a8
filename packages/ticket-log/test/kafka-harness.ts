// The contract suite's harness for Kafka: fresh topics for each store, on one broker that all share.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type KafkaLogOptions, type LogError, openKafkaLog, type TicketLog } from "../src/index.ts";
import type { HarnessStore, LogHarness } from "./contract.ts";
import { temporaryDirectory } from "./sqlite-harness.ts";

export const RETENTION_MS = 24 * 60 * 60 * 1000;

let names = 0;

/** A prefix that no other topics of this run have. */
export function freshTopics(): string {
  return `usher-${process.pid}-${++names}`;
}

/** Trouble that nobody expects fails the test that meets it, as an unhandled error. */
export function unexpected(error: LogError): void {
  throw error;
}

export function kafkaHarness(brokers: () => readonly string[]): LogHarness {
  return {
    async create() {
      const root = await temporaryDirectory();
      const options = { brokers: brokers(), topics: freshTopics(), replication: 1 };
      const store = storeOf(root, "node", options);
      return {
        ...store,
        async remove() {
          await store.remove();
          await rm(root, { recursive: true, force: true });
        },
      };
    },
  };
}

function storeOf(
  root: string,
  node: string,
  shared: Pick<KafkaLogOptions, "brokers" | "topics" | "replication">,
): HarnessStore {
  const open = new Set<TicketLog>();
  const others: HarnessStore[] = [];
  const spool = { directory: join(root, node) };
  return {
    async open(options) {
      const own = { node, spool, payload_retention_ms: RETENTION_MS, onFault: unexpected };
      const log = await openKafkaLog({ ...shared, ...own, ...options });
      open.add(log);
      return log;
    },
    // To the cluster it is as if the process were gone; another has a spool of its own.
    async killed() {
      others.push(storeOf(root, `${node}-${others.length}`, shared));
      return others.at(-1)!;
    },
    async remove() {
      for (const log of open) await log.close();
      for (const other of others) await other.remove();
    },
  };
}
