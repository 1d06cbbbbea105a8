// `fetch` that waits, behind proxies that get in the way, with storages that fail, and through a gateway that goes away.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Service, startService } from "../../../test/support/service.ts";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import {
  type BackendClient,
  createClient,
  createFetch,
  type FetchOptions,
  type Status,
} from "../src/index.ts";
import { openProxy } from "./support/proxy.ts";

const CONFIG = (service: string) => `
services: { shop: { url: "${service}" } }
queues:
  orders: { kind: defer, limit: { rate_per_second: 100, max_active: 2 }, max_wait: 1h, mode: paused }
  checkout: { kind: pass, limit: { rate_per_second: 100, max_active: 100 }, max_wait: 1h, mode: paused }
routes:
  - { match: /orders, service: shop, queue: orders, hold: 0s }
  - { match: /checkout, service: shop, queue: checkout }
`;

const TIMINGS = { reconnect: 20, pace: 20 };
const QUEUES = ["orders", "checkout"];

let service: Service;
let usher: Usher;
let backend: BackendClient;
let asked: number;

beforeAll(async () => {
  service = await startService();
  usher = await startUsher({ config: CONFIG(service.url) });
  backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
});

beforeEach(() => {
  asked = service.seen.length;
});

afterAll(async () => {
  backend?.close();
  await usher?.stop();
  await service?.stop();
});

/** Admits the ticket at the first word of it, and does something more before. */
function admitted(options: FetchOptions = {}, before: () => Promise<void> = async () => {}) {
  const statuses: Status[] = [];
  const fetch = createFetch({
    timings: TIMINGS,
    ...options,
    onStatus(status) {
      statuses.push(status);
      if (statuses.length === 1) void before().then(() => backend.admit(status.queue, { ticket: status.id }));
    },
  });
  return { fetch, statuses };
}

describe.each(QUEUES)("a request for %s", (queue) => {
  const order = { method: "POST", body: "two seats" };

  it.each(["cut", "buffer"] as const)(
    "gets its answer behind a proxy that would %s streams",
    async (manner) => {
      const proxy = await openProxy(usher.gatewayUrl);
      proxy.manner = (_, accept) => (accept === "text/event-stream" ? manner : "pass");
      const { fetch } = admitted({ timings: { ...TIMINGS, silence: 300 } });
      const answer = await fetch(`${proxy.url}/${queue}`, order);
      expect(await answer.json()).toMatchObject({ body: "two seats" });
      expect(service.seen).toHaveLength(asked + 1);
    },
  );

  it("that got through, and its answer not, is one ticket and reaches the service once", async () => {
    const proxy = await openProxy(usher.gatewayUrl);
    proxy.manner = () => (proxy.asked.length === 1 ? "lose" : "pass");
    const { lastNumber } = await backend.queue(queue);
    const { fetch, statuses } = admitted();
    expect((await fetch(`${proxy.url}/${queue}`, order)).status).toBe(200);
    expect(new Set(statuses.map(({ number }) => number))).toEqual(new Set([lastNumber + 1]));
    expect((await backend.queue(queue)).lastNumber).toBe(lastNumber + 1);
    expect(service.seen).toHaveLength(asked + 1);
  });

  it("goes on through a gateway that is killed and comes back", async () => {
    const { fetch, statuses } = admitted({}, async () => {
      const { data, ports } = usher;
      await usher.kill();
      usher = await startUsher({ config: CONFIG(service.url), data, ports });
    });
    expect((await fetch(`${usher.gatewayUrl}/${queue}`, order)).status).toBe(200);
    expect(new Set(statuses.map(({ id }) => id)).size).toBe(1);
    expect(service.seen).toHaveLength(asked + 1);
  });

  it("that nobody answers fails as fetch does", async () => {
    const fetch = createFetch({ attempts: 2 });
    await expect(fetch(`http://127.0.0.1:9/${queue}`, order)).rejects.toThrow(TypeError);
  });

  it("behind something else than Usher gets what that says", async () => {
    const proxy = await openProxy(usher.gatewayUrl);
    proxy.manner = () => "page";
    const answer = await createFetch()(`${proxy.url}/${queue}`, order);
    expect([answer.status, await answer.text()]).toEqual([502, "<h1>Bad gateway</h1>"]);
  });

  it.each([
    ["is full", { getItem: () => null, setItem: throws, removeItem: () => {} }],
    ["is denied", { getItem: throws, setItem: throws, removeItem: throws }],
    ["holds something else", { getItem: () => "{]", setItem: () => {}, removeItem: () => {} }],
  ])("waits its turn with a storage that %s", async (_, storage) => {
    const faults: unknown[] = [];
    const { fetch } = admitted({ storage, onFault: (fault) => faults.push(fault) });
    expect((await fetch(`${usher.gatewayUrl}/${queue}`, order)).status).toBe(200);
    expect(service.seen).toHaveLength(asked + 1);
  });
});

it("requests to other origins are left as they are", async () => {
  const other = await startService();
  const fetch = createFetch({ origins: [usher.gatewayUrl] });
  await fetch(`${other.url}/orders`, { method: "POST", body: "x" });
  const [seen] = other.seen;
  expect(Object.keys(seen?.headers ?? {}).filter((name) => /usher|idempotency/.test(name))).toEqual([]);
  await other.stop();
});

function throws(): never {
  throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
}
