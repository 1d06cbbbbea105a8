// The contract suite's harness for Kafka: fresh topics for each store, on one broker that all share.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type KafkaLogOptions, type LogError, openKafkaLog, type TicketLog } from "../src/index.ts";
import type { HarnessStore, LogHarness } from "./contract.ts";
import { freshTopics, RETENTION_MS } from "./kafka-nodes.ts";
import { temporaryDirectory } from "./sqlite-harness.ts";

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
  // One broker never lags behind itself.
  const timings = { short_ms: 300 };
  const another = async () => {
    const store = storeOf(root, `${node}-${others.length}`, shared);
    others.push(store);
    return store;
  };
  return {
    async open(options) {
      const own = { node, spool, payload_retention_ms: RETENTION_MS, onFault: unexpected, timings };
      const log = await openKafkaLog({ ...shared, ...own, ...options });
      open.add(log);
      return log;
    },
    // To the cluster it is the same whether this process is gone or not; another has a spool of its own.
    killed: another,
    other: another,
    async remove() {
      for (const log of open) await log.close();
      for (const other of others) await other.remove();
    },
  };
}
