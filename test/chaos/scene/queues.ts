// The queues that the load goes to, and the routes that lead there. Small enough that a line forms in each wave and
// that room runs out now and then; large enough that it is worked off.

import { SETTINGS_DEFAULTS, type Settings } from "@usher/queue";

/** How long the service may take, in milliseconds. */
export const TIMEOUT_MS = 3_000;

/** Among so many nodes each limit is divided. */
export const NODES = 2;

const DEFER: Settings = { ...SETTINGS_DEFAULTS, kind: "defer", max_wait_ms: 600_000, session_ms: 5_000 };

/** `orders` stores every request, `express` only those for which there is no room, and people wait in `gate`. */
export const QUEUES: Readonly<Record<"orders" | "express" | "gate", Settings>> = {
  orders: { ...DEFER, mode: "queue_all", rate_thousandths: 6_000, max_active: 6 },
  express: { ...DEFER, rate_thousandths: 20_000, max_active: 8 },
  gate: { ...DEFER, kind: "pass", rate_thousandths: 4_000, max_active: 5 },
};

export interface ChaosRoute {
  readonly method: "POST" | "PUT";
  readonly queue: keyof typeof QUEUES;
  readonly hold_ms: number;
  readonly idempotent: boolean;
}

/** Each leads from the path of the queue's name to the service. */
export const ROUTES: readonly ChaosRoute[] = [
  { method: "PUT", queue: "orders", hold_ms: 0, idempotent: true },
  { method: "POST", queue: "orders", hold_ms: 0, idempotent: false },
  { method: "POST", queue: "express", hold_ms: 1_000, idempotent: false },
];

/** An `usher.yaml` with these, but for the log. */
export function configFor(serviceUrl: string): string {
  const queues = Object.entries(QUEUES).map(
    ([name, { kind, mode, rate_thousandths, max_active, max_wait_ms, session_ms }]) =>
      `  ${name}: { kind: ${kind}, mode: ${mode}, max_wait: ${max_wait_ms}ms, session: ${session_ms}ms, ` +
      `limit: { rate_per_second: ${rate_thousandths / 1_000}, max_active: ${max_active} } }`,
  );
  const routes = ROUTES.map(
    ({ method, queue, hold_ms, idempotent }) =>
      `  - { match: ${method} /${queue}, service: shop, queue: ${queue}, hold: ${hold_ms}ms, ` +
      `timeout: ${TIMEOUT_MS}ms, idempotent: ${idempotent} }`,
  );
  return [
    `nodes: ${NODES}`,
    `services: { shop: { url: "${serviceUrl}" } }`,
    "queues:",
    ...queues,
    "routes:",
    ...routes,
    "",
  ].join("\n");
}
