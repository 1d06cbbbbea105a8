// The ways to the same queues: the real program's, and the queues in memory. Both are set the same.

import { afterAll, beforeAll } from "vitest";
import { startUsher, type Usher } from "../../../../test/support/usher.ts";
import { type BackendClient, type ClientOptions, createClient, type QueueClient } from "../../src/index.ts";
import { createTestQueues } from "../../src/testing.ts";
import { createClient as createWebClient } from "../../src/web.ts";

const CONFIG = `
services: { shop: { url: "http://127.0.0.1:9" } }
queues:
  concert: { kind: pass, limit: { rate_per_second: 1, max_active: 2 }, max_wait: 1h, mode: paused, notice: "Doors at 8" }
  closed: { kind: pass, limit: { rate_per_second: 1, max_active: 2 }, max_wait: 1h, mode: closed }
  full: { kind: pass, limit: { rate_per_second: 1 }, max_wait: 1h, mode: paused, max_waiting: 1 }
  brisk: { kind: pass, limit: { rate_per_second: 10 }, max_wait: 1h }
  brief: { kind: defer, limit: { max_active: 1 }, max_wait: 1h, session: 1s }
  impatient: { kind: pass, limit: { max_active: 1 }, max_wait: 1s }
routes:
  - { match: GET /concert, service: shop, queue: concert }
  - { match: GET /closed, service: shop, queue: closed }
  - { match: GET /full, service: shop, queue: full }
  - { match: GET /brisk, service: shop, queue: brisk }
  - { match: POST /brief, service: shop, queue: brief }
  - { match: GET /impatient, service: shop, queue: impatient }
`;

const TWIN = createTestQueues({
  concert: {
    ...{ kind: "pass", rate_per_second: 1, max_active: 2, mode: "paused", notice: "Doors at 8" },
    services: ["shop"],
  },
  closed: { kind: "pass", rate_per_second: 1, max_active: 2, mode: "closed", services: ["shop"] },
  full: { kind: "pass", rate_per_second: 1, mode: "paused", max_waiting: 1, services: ["shop"] },
  brisk: { kind: "pass", rate_per_second: 10, services: ["shop"] },
  brief: { kind: "defer", max_active: 1, session_ms: 1_000, services: ["shop"] },
  impatient: { kind: "pass", max_active: 1, max_wait_ms: 1_000, services: ["shop"] },
});

let usher: Usher;

/** Starts the program before a file's tests, and stops it after them. */
export function startWays(): void {
  beforeAll(async () => {
    usher = await startUsher({ config: CONFIG });
  });
  afterAll(() => usher?.stop());
}

/** A way to the queues. */
export interface Way {
  /** A client with an API key. */
  open(options?: Options): QueueClient;
  /** One without. */
  visitor(): QueueClient;
  backend(): BackendClient;
  /** What comes by and by: where time does not pass by itself, it is moved until then. */
  inTime<A>(what: Promise<A>): Promise<A>;
}

type Options = Omit<ClientOptions, "baseUrl">;

const passes = <A>(what: Promise<A>) => what;

export const WAYS: readonly [name: string, way: Way][] = [
  [
    "over gRPC, at the native listener",
    // There, all calls need an API key; elsewhere, those of backends.
    {
      open: native,
      visitor: () => createClient({ baseUrl: usher.gatewayUrl }),
      backend: native,
      inTime: passes,
    },
  ],
  [
    "over gRPC, at the gateway",
    {
      open: (options) => createClient({ ...options, baseUrl: usher.gatewayUrl, apiKey: usher.apiKey }),
      visitor: () => createClient({ baseUrl: usher.gatewayUrl }),
      backend: () => createClient({ baseUrl: usher.gatewayUrl, apiKey: usher.apiKey }),
      inTime: passes,
    },
  ],
  [
    "over Connect",
    {
      open: (options) => createWebClient({ ...options, baseUrl: usher.gatewayUrl, apiKey: usher.apiKey }),
      visitor: () => createWebClient({ baseUrl: usher.gatewayUrl }),
      backend: native,
      inTime: passes,
    },
  ],
  [
    "on queues in memory",
    {
      open: (options) => TWIN.client(options),
      visitor: () => TWIN.visitor(),
      backend: () => TWIN.client(),
      inTime: moved,
    },
  ],
];

async function moved<A>(what: Promise<A>): Promise<A> {
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  what.then(over, over);
  for (let seconds = 0; !isOver && seconds < 60; seconds++) await TWIN.advance(1_000);
  return what;
}

function nativeUrl(): string {
  return `http://${usher.nativeAddress}`;
}

function native(options?: Options): BackendClient {
  return createClient({ ...options, baseUrl: nativeUrl(), apiKey: usher.apiKey });
}
