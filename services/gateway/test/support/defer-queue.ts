// Gateways before a queue of stored requests, on one log in memory.

import { SETTINGS_DEFAULTS, type Settings } from "@usher/queue";
import { Access, freshKeys, Replica } from "@usher/replica";
import { type MemoryLog, type MemoryLogOptions, type MemoryStore, openMemoryLog } from "@usher/ticket-log";
import { onTestFinished } from "vitest";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import type { Route } from "../../src/route.ts";

export const QUEUE = "orders";

const KEYS = freshKeys();

export interface Node {
  readonly gateway: Gateway;
  readonly replica: Replica;
  readonly log: MemoryLog;
  /** What went wrong beside any call. */
  readonly faults: readonly Error[];
  /** Lets this node's own clock leap, in ms. */
  leap(ms: number): void;
  /** As a machine that is switched off: it neither reaches the log any more, nor answers. */
  die(): Promise<void>;
}

export interface NodeOptions {
  readonly store: MemoryStore;
  readonly name: string;
  /** The port of the service behind it. */
  readonly service: number;
  /** Among how many the limit is divided; default 2. */
  readonly nodes?: number;
  readonly fate?: MemoryLogOptions["fate"];
  /** What is not as usual about the one route, through which everything goes. */
  readonly route?: Partial<Route>;
  /** By default none. */
  readonly allowed_origins?: readonly string[];
}

export async function openNode(options: NodeOptions): Promise<Node> {
  const { store, name, service, nodes = 2, fate, route, allowed_origins = [] } = options;
  const log = openMemoryLog({ store, fate });
  const faults: Error[] = [];
  let leapt_ms = 0;
  const clock = { monotonic_ms: () => performance.now() + leapt_ms, wall_ms: () => Date.now() };
  const onFault = (error: Error) => faults.push(error);
  const replica = await Replica.open({ log, keys: KEYS, node: name, clock, onFault });
  const { hashes } = replica;
  const starting = () => "for a test";
  const gateway = await startGateway({ port: 0, starting, allowed_origins, onFault: () => undefined });
  gateway.serve({
    replica,
    access: new Access({ keys: KEYS, hashes, require: "none" }),
    services: { shop: { url: `http://127.0.0.1:${service}` } },
    routes: [
      {
        path: "/*",
        service: "shop",
        queue: QUEUE,
        hold_ms: 0,
        timeout_ms: 20_000,
        idempotent: false,
        body_bytes: 1_000,
        response_bytes: 1_000,
        ...route,
      },
    ],
    nodes,
  });
  onTestFinished(async () => {
    log.mend();
    await gateway.close({ grace_ms: 0 });
    await replica.close();
    await log.close();
  });
  return {
    gateway,
    replica,
    log,
    faults,
    leap(ms) {
      leapt_ms += ms;
    },
    async die() {
      log.cut();
      await gateway.close({ grace_ms: 0 });
    },
  };
}

export async function configure(
  { replica }: Node,
  settings: Partial<Settings>,
  revision: number,
): Promise<void> {
  const all: Settings = {
    ...SETTINGS_DEFAULTS,
    kind: "defer",
    mode: "queue_all",
    max_active: 4,
    max_wait_ms: 600_000,
    ...settings,
  };
  await replica.configure(QUEUE, all, { revision, reason: "" });
}
