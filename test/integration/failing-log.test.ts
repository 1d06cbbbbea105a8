// The gateway on a log that fails on purpose: what comes of requests whose records it does not take.

import { startGateway } from "@usher/gateway";
import { SETTINGS_DEFAULTS } from "@usher/queue";
import { Access, type Keys, Replica } from "@usher/replica";
import { type Fate, openMemoryLog } from "@usher/ticket-log";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";

const KEYS: Keys = {
  hash: Buffer.alloc(32, 1),
  tag: Buffer.alloc(32, 2),
  encryption: Buffer.alloc(32, 3),
  api_keys: [],
};

interface Stage {
  readonly service: Service;
  readonly replica: Replica;
  /** What becomes of each record that has to do with a queue from here on. */
  fate: Fate;
  /** Sends an order, and tells the status of what comes back. */
  order(body: string): Promise<number>;
}

/** A queue with room for one, in which everybody takes a ticket. */
async function setTheStage(): Promise<Stage> {
  const service = await startService();
  const log = openMemoryLog({ fate: (entry) => (entry.key === "" ? "written" : stage.fate) });
  const replica = await Replica.open({ log, keys: KEYS, node: "node", onFault: () => {} });
  const gateway = await startGateway({
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
    host: "127.0.0.1",
    port: 0,
    onFault: () => {},
  });
  onTestFinished(async () => {
    stage.fate = "written";
    await gateway.close({ grace_ms: 0 });
    await replica.close();
    await log.close();
    await service.stop();
  });
  const stage: Stage = {
    service,
    replica,
    fate: "written",
    async order(body) {
      const answer = await fetch(`${gateway.url}/orders`, { method: "POST", body });
      await answer.arrayBuffer();
      return answer.status;
    },
  };
  const settings = { ...SETTINGS_DEFAULTS, kind: "defer", max_active: 1, max_wait_ms: 60_000 } as const;
  await replica.configure("orders", { ...settings, mode: "paused" }, { revision: 1, reason: "" });
  expect(await Promise.all([stage.order("a"), stage.order("b")])).toEqual([202, 202]);
  return stage;
}

test("requests whose claims the log refuses are sent once it takes them again", async () => {
  const stage = await setTheStage();
  const { replica, service } = stage;
  const { settings, revision } = replica.fold.queue("orders")!;
  await replica.configure(
    "orders",
    { ...settings, mode: "queue_all" },
    { revision: revision + 1, reason: "" },
  );
  stage.fate = "refused";
  await eventually(() => expect(replica.fold.queue("orders")?.active).toBe(1));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(service.seen).toEqual([]);
  stage.fate = "written";
  await eventually(() => expect(service.seen.map(({ body }) => body).sort()).toEqual(["a", "b"]));
});
