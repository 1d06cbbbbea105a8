// Tokens, tickets and passes of another environment, such as staging's in production: two real programs, each with its own
// keys. They lead nowhere, at once, and cost nobody a place.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Service, startService } from "../../../test/support/service.ts";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { createGuard } from "../src/guard.ts";
import { createClient, createFetch, type QueueClient } from "../src/index.ts";
import { createClient as createWebClient } from "../src/web.ts";
import { openGrpcProxy } from "./support/grpc-proxy.ts";
import { onFetch } from "./support/guarded.ts";
import { type Proxy as OddProxy, openProxy } from "./support/proxy.ts";

const TIMINGS = { reconnect: 20, pace: 20 };

let service: Service;
let production: Usher;
let staging: Usher;

beforeAll(async () => {
  service = await startService();
  const config = `
services: { shop: { url: "${service.url}" } }
queues:
  concert: { kind: pass, limit: { rate_per_second: 100, max_active: 100 }, max_wait: 1h, mode: paused }
routes:
  - { match: /concert, service: shop, queue: concert }
`;
  [production, staging] = await Promise.all([startUsher({ config }), startUsher({ config })]);
});

afterAll(async () => {
  await production?.stop();
  await staging?.stop();
  await service?.stop();
});

interface Way {
  /** Without an API key: one of another environment would be what is refused. */
  readonly visitor: (url: string) => QueueClient;
  readonly open: (url: string, usher: Usher) => QueueClient;
  readonly urlOf: (usher: Usher) => string;
  readonly proxied: (url: string) => Promise<OddProxy>;
}

const WAYS: readonly [name: string, way: Way][] = [
  [
    "over gRPC",
    {
      open: (baseUrl, { apiKey }) => createClient({ baseUrl, apiKey, timings: TIMINGS }),
      visitor: (baseUrl) => createClient({ baseUrl, timings: TIMINGS }),
      urlOf: ({ nativeAddress }) => `http://${nativeAddress}`,
      proxied: openGrpcProxy,
    },
  ],
  [
    "over Connect",
    {
      open: (baseUrl) => createWebClient({ baseUrl, timings: TIMINGS }),
      visitor: (baseUrl) => createWebClient({ baseUrl, timings: TIMINGS }),
      urlOf: ({ gatewayUrl }) => gatewayUrl,
      proxied: openProxy,
    },
  ],
];

const WRONG = { code: "token_invalid", retryable: false, outcome: "refused" };

describe.each(WAYS)("%s", (_, { open, visitor, urlOf, proxied }) => {
  it("a token of another environment is refused by every call, once", async () => {
    using there = open(urlOf(staging), staging);
    const { token } = await there.issue("concert");
    const proxy = await proxied(urlOf(production));
    using here = open(proxy.url, production);
    await expect(here.ticket(token)).rejects.toMatchObject(WRONG);
    expect(proxy.asked).toHaveLength(1);
  });

  it("a watch whose address leads to another environment now ends with that, and does not go on for ever", async () => {
    // Its address leads to staging at first, and to production when the connection breaks.
    const proxy = await proxied(staging.gatewayUrl);
    using client = visitor(proxy.url);
    const ticket = await client.issue("concert");
    const watch = ticket.watch();
    await watch.next();
    const next = watch.next();
    next.catch(() => {});
    await expect.poll(() => proxy.asked.length).toBe(2);
    proxy.leadTo(urlOf(production));
    proxy.cutAll();
    await expect(next).rejects.toMatchObject({
      code: expect.stringMatching(/token_invalid|api_key_required/),
    });
  });
});

it("fetch takes a place in this environment where the one that it remembers is of another", async () => {
  const items = new Map<string, string>();
  const storage = {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
  const proxy = await openProxy(staging.gatewayUrl);
  const order = { method: "POST", body: "two seats" };
  const given = new AbortController();
  const first = createFetch({ storage, onAbort: "keep", onStatus: () => given.abort() });
  await first(`${proxy.url}/concert`, { ...order, signal: given.signal }).catch(() => {});
  expect([...items.values()].some((kept) => kept.includes("/_usher/tickets/"))).toBe(true);
  proxy.leadTo(production.gatewayUrl);
  proxy.cutAll();
  using backend = createClient({
    baseUrl: `http://${production.nativeAddress}`,
    apiKey: production.apiKey,
  });
  const before = (await backend.queue("concert")).lastNumber;
  const second = createFetch({
    storage,
    timings: TIMINGS,
    onStatus: ({ id, state }) => state === "waiting" && void backend.admit("concert", { ticket: id }),
  });
  expect((await second(`${proxy.url}/concert`, order)).status).toBe(200);
  expect((await backend.queue("concert")).lastNumber).toBe(before + 1);
  expect(service.seen).toHaveLength(1);
});

it("a guard of this environment lets nobody in by a pass of another", async () => {
  const passOf = async ({ nativeAddress, apiKey }: Usher): Promise<string> => {
    using client = createClient({ baseUrl: `http://${nativeAddress}`, apiKey });
    const ticket = await client.issue("concert");
    await client.admit("concert", { ticket: ticket.id });
    return (await ticket.admitted()).pass ?? "";
  };
  const guard = createGuard({
    jwks: `${production.gatewayUrl}/_usher/jwks.json`,
    queue: "concert",
    audience: "shop",
  });
  await using guarded = await onFetch(guard);
  const ask = async (usher: Usher) =>
    (await fetch(guarded.url, { headers: { "usher-pass": await passOf(usher) } })).status;
  expect([await ask(staging), await ask(production)]).toEqual([403, 200]);
});
