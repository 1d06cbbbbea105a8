// A node on a log in memory, called as the command line calls it.

import { createClient, createRouterTransport } from "@connectrpc/connect";
import { AdminService } from "@usher/protocol/admin";
import { SETTINGS_DEFAULTS, type Settings } from "@usher/queue";
import { Access, createAdminService, freshKeys, Replica } from "@usher/replica";
import { type MemoryLog, MemoryStore, openMemoryLog } from "@usher/ticket-log";
import { onTestFinished } from "vitest";
import type { AdminClient } from "../../src/cli/client.ts";

const KEYS = freshKeys();

const SETTINGS: Settings = { ...SETTINGS_DEFAULTS, kind: "pass", max_active: 1, max_wait_ms: 3_600_000 };

export interface TestNode {
  readonly replica: Replica;
  readonly log: MemoryLog;
  readonly client: AdminClient;
  /** Makes a queue. */
  makeQueue(name: string, settings?: Partial<Settings>): Promise<void>;
  /** Takes tickets, one after the other. */
  issue(queue: string, count?: number): Promise<void>;
}

/** Closed when the test is over. */
export async function openNode({ store = new MemoryStore(), node = "ann" } = {}): Promise<TestNode> {
  const log = openMemoryLog({ store });
  const replica = await Replica.open({ log, keys: KEYS, node, onFault: () => {} });
  onTestFinished(async () => {
    await replica.close();
    await log.close();
  });
  const access = new Access({ keys: KEYS, hashes: replica.hashes, require: "none" });
  const transport = createRouterTransport(({ service }) => {
    service(AdminService, createAdminService(replica, access));
  });
  return {
    replica,
    log,
    client: createClient(AdminService, transport),
    async makeQueue(name, settings = {}) {
      await replica.configure(name, { ...SETTINGS, ...settings }, { revision: 1, reason: "" });
    },
    async issue(queue, count = 1) {
      for (let n = 0; n < count; n++) await replica.desk.issue({ queue, caller: { id: "", trusted: true } });
    },
  };
}
