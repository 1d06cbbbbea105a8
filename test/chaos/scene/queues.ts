// The queues that the load goes to. Small enough that a line forms in each wave; large enough that it is worked off.

/** How long the service may take, in milliseconds. */
export const TIMEOUT_MS = 3_000;

/** Shared by so many nodes. */
export const NODES = 2;

/** An `usher.yaml` but for the log. `orders` stores every request, `express` only those for which there is no room,
 * and people wait in `gate`. */
export function configFor(serviceUrl: string): string {
  const timeout = `timeout: ${TIMEOUT_MS / 1_000}s`;
  return `
nodes: ${NODES}
services: { shop: { url: ${serviceUrl} } }
queues:
  orders: { kind: defer, mode: queue_all, limit: { rate_per_second: 6, max_active: 8 }, max_wait: 10m }
  express: { kind: defer, limit: { rate_per_second: 20, max_active: 8 }, max_wait: 10m }
  gate: { kind: pass, limit: { rate_per_second: 4, max_active: 10 }, max_wait: 10m, session: 5s }
routes:
  - { match: PUT /orders, service: shop, queue: orders, hold: 0s, ${timeout}, idempotent: true }
  - { match: POST /orders, service: shop, queue: orders, hold: 0s, ${timeout} }
  - { match: POST /express, service: shop, queue: express, hold: 1s, ${timeout} }
`;
}
