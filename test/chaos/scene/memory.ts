// Two nodes on one log in memory, in this process: the shipped gateway and replica, without Kafka. For trying the load
// and the checker in seconds.

import { startGateway } from "@usher/gateway";
import { Access, freshKeys, Replica } from "@usher/replica";
import { type MemoryLog, MemoryStore, openMemoryLog } from "@usher/ticket-log";
import type { Door, Doors } from "../load/doors.ts";
import { keyHash } from "../load/key-hash.ts";
import type { LogEntry } from "../log/entry.ts";
import { NODES, QUEUES, ROUTES, TIMEOUT_MS } from "./queues.ts";

const KEYS = freshKeys();

export interface MemoryScene extends AsyncDisposable {
  readonly doors: Doors;
  readonly logs: readonly MemoryLog[];
  log(): LogEntry[];
}

/** Starts both, on free ports, with the queues that `queues.ts` describes. */
export async function startMemoryScene(serviceUrl: string): Promise<MemoryScene> {
  await using opened = new AsyncDisposableStack();
  const store = new MemoryStore({ shared: true });
  const nodes = await Promise.all(["a", "b"].map((name) => openNode(opened, store, name, serviceUrl)));
  for (const [name, settings] of Object.entries(QUEUES))
    await nodes[0]?.replica.configure(name, settings, { revision: 1, reason: "for the load" });
  const close = opened.move();
  return {
    doors: {
      all: nodes.map(({ door }) => door),
      apiKey: KEYS.api_keys[0]?.key ?? "",
      keyHash: (queue, caller, key) => keyHash(KEYS.hash, queue, caller, key),
    },
    logs: nodes.map(({ log }) => log),
    log: () => store.read(0, store.end).map(({ offset, key, value }) => ({ offset, key, value })),
    [Symbol.asyncDispose]: () => close.disposeAsync(),
  };
}

async function openNode(
  opened: AsyncDisposableStack,
  store: MemoryStore,
  name: string,
  serviceUrl: string,
): Promise<{ door: Door; replica: Replica; log: MemoryLog }> {
  const log = opened.adopt(openMemoryLog({ store }), (log) => log.close());
  const onFault = () => {};
  const replica = opened.adopt(await Replica.open({ log, keys: KEYS, node: name, onFault }), (replica) =>
    replica.close(),
  );
  const gateway = opened.adopt(
    await startGateway({ host: "127.0.0.1", port: 0, starting: () => "", onFault }),
    (gateway) => gateway.close({ grace_ms: 0 }),
  );
  gateway.serve({
    replica,
    access: new Access({ keys: KEYS, hashes: replica.hashes, require: "backends" }),
    routes: ROUTES.map(({ method, queue, hold_ms, idempotent }) => ({
      ...{ methods: [method], path: `/${queue}`, queue, hold_ms, idempotent },
      service: "shop",
      timeout_ms: TIMEOUT_MS,
      body_bytes: 1_024,
      response_bytes: 1_024,
    })),
    services: { shop: { url: serviceUrl } },
    nodes: NODES,
  });
  // The gateway's port speaks gRPC, too.
  const door = { name, gatewayUrl: gateway.url, nativeAddress: `127.0.0.1:${gateway.port}` };
  return { door, replica, log };
}
