// The gateway on a log in memory, in this process: for what a test has to reach into.

import { startGateway } from "@usher/gateway";
import { SETTINGS_DEFAULTS, type Settings } from "@usher/queue";
import { Access, freshKeys, Replica } from "@usher/replica";
import { type Entry, type Fate, openMemoryLog } from "@usher/ticket-log";
import { onTestFinished } from "vitest";
import { type Service, startService } from "../../support/service.ts";

const KEYS = freshKeys();

export interface Stage {
  readonly service: Service;
  readonly replica: Replica;
  /** How many more records that have to do with a queue the log takes; default: all. */
  takes: number;
  /** How many it has refused. */
  readonly refused: number;
  /** Sends an order, and tells the status of what comes back. Held for so many seconds; default 0. */
  order(body: string, wait_s?: number): Promise<number>;
  /** Sets the queue's mode. */
  setMode(mode: Settings["mode"]): Promise<void>;
}

/** A queue with room for one, in which everybody takes a ticket, and nobody is admitted yet. */
export async function setTheStage(): Promise<Stage> {
  const service = await startService();
  let takes = Number.POSITIVE_INFINITY;
  let refused = 0;
  const fate = ({ key }: Entry): Fate => {
    if (key === "" || takes-- > 0) return "written";
    refused++;
    return "refused";
  };
  const log = openMemoryLog({ fate });
  const replica = await Replica.open({ log, keys: KEYS, node: "node", onFault: () => {} });
  const gateway = await startGateway({
    host: "127.0.0.1",
    port: 0,
    starting: () => "for a test",
    onFault: () => {},
  });
  gateway.serve({
    replica,
    access: new Access({ keys: KEYS, hashes: replica.hashes, require: "backends" }),
    routes: [
      {
        ...{ method: "POST", path: "/orders", service: "shop", queue: "orders" },
        ...{ hold_ms: 0, timeout_ms: 1_000, idempotent: false, body_bytes: 1_024, response_bytes: 1_024 },
      },
    ],
    services: { shop: { url: service.url } },
    nodes: 1,
  });
  onTestFinished(async () => {
    await gateway.close({ grace_ms: 0 });
    await replica.close();
    await log.close();
    await service.stop();
  });
  const settings = { ...SETTINGS_DEFAULTS, kind: "defer", max_active: 1, max_wait_ms: 60_000 } as const;
  await replica.configure("orders", { ...settings, mode: "paused" }, { revision: 1, reason: "" });
  return {
    service,
    replica,
    get takes() {
      return takes;
    },
    set takes(count) {
      takes = count;
    },
    get refused() {
      return refused;
    },
    async order(body, wait_s = 0) {
      const headers = { prefer: `wait=${wait_s}` };
      const answer = await fetch(`${gateway.url}/orders`, { method: "POST", body, headers });
      await answer.arrayBuffer();
      return answer.status;
    },
    async setMode(mode) {
      const { settings, revision } = replica.fold.queue("orders")!;
      await replica.configure("orders", { ...settings, mode }, { revision: revision + 1, reason: "" });
    },
  };
}
