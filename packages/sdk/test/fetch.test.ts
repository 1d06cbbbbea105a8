// `fetch` that waits, against the real program with a real service behind it.

import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { type BackendClient, createClient, createFetch, type Status } from "../src/index.ts";
import { MapStorage } from "./support/map-storage.ts";

const CONFIG = (port: number) => `
services: { shop: { url: "http://127.0.0.1:${port}" } }
queues:
  orders: { kind: defer, limit: { rate_per_second: 100, max_active: 2 }, max_wait: 1h, mode: paused }
  checkout: { kind: pass, limit: { rate_per_second: 100, max_active: 2 }, max_wait: 1h, mode: paused }
routes:
  - { match: /orders, service: shop, queue: orders, hold: 0s }
  - { match: /checkout, service: shop, queue: checkout }
  - { match: /free, service: shop }
`;

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const seen: Seen[] = [];
const service = createServer(async (req, res) => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  const { method = "", url = "", headers } = req;
  seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
  const status = Number(new URL(url, "http://shop").searchParams.get("status") ?? 200);
  res.writeHead(status, { "x-shop": "yes", "content-type": "text/plain" });
  res.end(`order ${seen.length}`);
});
let usher: Usher;
let backend: BackendClient;

beforeAll(async () => {
  await new Promise<void>((listening) => service.listen(0, "127.0.0.1", listening));
  usher = await startUsher({ config: CONFIG((service.address() as AddressInfo).port) });
  backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
});

beforeEach(async () => {
  await finish();
  seen.splice(0);
});

/** Lets all go who wait or have a slot, so that the next test finds the line empty. */
async function finish(): Promise<void> {
  for (const queue of ["orders", "checkout"]) {
    for (let { waiting } = await backend.queue(queue); waiting > 0; )
      ({ waiting } = await backend.admit(queue, { count: 10 }));
  }
  const idle = AbortSignal.timeout(300);
  for await (const { complete } of backend.admissions("checkout", { signal: idle })) await complete();
}

afterAll(async () => {
  backend?.close();
  await usher?.stop();
  service.close();
});

/** A fetch that admits its ticket as soon as it has told of one. */
function admitted(queue: string, options: Parameters<typeof createFetch>[0] = {}) {
  const statuses: Status[] = [];
  const fetch = createFetch({
    ...options,
    onStatus(status) {
      statuses.push(status);
      if (status.state === "waiting" && statuses.length === 1)
        void backend.admit(queue, { ticket: status.id });
    },
  });
  return { fetch, statuses };
}

function at(path: string): string {
  return `${usher.gatewayUrl}${path}`;
}

describe.each(["orders", "checkout"])("a request for %s", (queue) => {
  it("is followed to the service's own answer, and reaches the service once, as it was made", async () => {
    const { fetch, statuses } = admitted(queue);
    const response = await fetch(at(`/${queue}?status=201`), {
      method: "POST",
      headers: { "x-mine": "1", "content-type": "text/plain" },
      body: "two seats",
    });
    expect([response.status, response.headers.get("x-shop"), await response.text()]).toEqual([
      201,
      "yes",
      "order 1",
    ]);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ method: "POST", body: "two seats", headers: { "x-mine": "1" } });
    expect(statuses[0]).toMatchObject({ queue, state: "waiting", position: 1 });
  });

  it.each([202, 303, 404, 500])("gets the service's own %i as it is", async (status) => {
    const { fetch } = admitted(queue);
    const response = await fetch(at(`/${queue}?status=${status}`), { method: "POST", body: "x" });
    expect([response.status, await response.text()]).toEqual([status, "order 1"]);
  });

  it("that is a GET, with a Request, works the same", async () => {
    const { fetch } = admitted(queue);
    const response = await fetch(new Request(at(`/${queue}`), { headers: { "x-mine": "2" } }));
    expect(await response.text()).toBe("order 1");
    expect(seen[0]).toMatchObject({ method: "GET", headers: { "x-mine": "2" } });
  });

  it("that is a HEAD waits as well, and gets the service's headers", async () => {
    const { fetch, statuses } = admitted(queue);
    const response = await fetch(at(`/${queue}`), { method: "HEAD" });
    expect([response.status, response.headers.get("x-shop"), await response.text()]).toEqual([
      200,
      "yes",
      "",
    ]);
    expect([seen.length, seen[0]?.method]).toEqual([1, "HEAD"]);
    expect(statuses[0]).toMatchObject({ queue, state: "waiting" });
  });

  it("that is aborted leaves the line, unless it is asked to keep its ticket", async () => {
    for (const onAbort of ["leave", "keep"] as const) {
      const given = new AbortController();
      const fetch = createFetch({ onAbort, onStatus: () => given.abort(new Error("enough")) });
      await expect(
        fetch(at(`/${queue}`), { method: "POST", body: "x", signal: given.signal }),
      ).rejects.toThrow("enough");
      const waiting = async () => (await backend.queue(queue)).waiting;
      await expect.poll(waiting).toBe(onAbort === "leave" ? 0 : 1);
    }
    await backend.admit(queue, { count: 1 });
  });

  it("is taken up again after a reload, with its ticket", async () => {
    const storage = new MapStorage();
    const order = { method: "POST", body: "again" };
    const given = new AbortController();
    const first = createFetch({ storage, onAbort: "keep", onStatus: () => given.abort() });
    await first(at(`/${queue}`), { ...order, signal: given.signal }).catch(() => {});
    const { lastNumber } = await backend.queue(queue);
    const { fetch, statuses } = admitted(queue, { storage });
    expect(await (await fetch(at(`/${queue}`), order)).text()).toBe("order 1");
    expect(statuses[0]?.number).toBe(lastNumber);
    expect((await backend.queue(queue)).lastNumber).toBe(lastNumber);
    expect(seen).toHaveLength(1);
    expect([...storage.items.keys()].filter((key) => key.includes("request"))).toEqual([]);
  });
});

it("what needs not wait is not touched", async () => {
  const statuses: Status[] = [];
  const fetch = createFetch({ onStatus: (status) => statuses.push(status) });
  const response = await fetch(at("/free"), { method: "PUT", body: "x" });
  expect(await response.text()).toBe("order 1");
  expect(statuses).toEqual([]);
});

it("a pass queue's service may answer 429 itself", async () => {
  const { fetch } = admitted("checkout");
  const response = await fetch(at("/checkout?status=429"));
  expect([response.status, await response.text()]).toEqual([429, "order 1"]);
});

it("of requests that share a place, one that is aborted does not give it up for the others", async () => {
  const given = new AbortController();
  let told = 0;
  const fetch = createFetch({ onStatus: () => told++ });
  const aborted = fetch(at("/checkout"), { signal: given.signal });
  const other = fetch(at("/checkout"));
  await expect.poll(() => told).toBeGreaterThanOrEqual(2);
  given.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  await backend.admit("checkout", { count: 10 });
  expect((await other).status).toBe(200);
});

it("many requests of one visitor to a pass queue are one ticket", async () => {
  const before = (await backend.queue("checkout")).lastNumber;
  const { fetch, statuses } = admitted("checkout");
  const responses = await Promise.all(
    Array.from({ length: 20 }, (_, i) => fetch(at(`/checkout/${i}`.replace("checkout/", "checkout?n=")))),
  );
  expect(responses.map(({ status }) => status)).toEqual(Array(20).fill(200));
  expect(seen).toHaveLength(20);
  expect(new Set(statuses.map(({ number }) => number))).toEqual(new Set([before + 1]));
  expect((await fetch(at("/checkout"))).status).toBe(200);
  expect((await backend.queue("checkout")).lastNumber).toBe(before + 1);
});

it("a ticket of another environment is given up for a new one", async () => {
  for (const queue of ["orders", "checkout"]) {
    seen.splice(0);
    const storage = new MapStorage();
    const given = new AbortController();
    const first = createFetch({ storage, onAbort: "keep", onStatus: () => given.abort() });
    await first(at(`/${queue}`), { method: "POST", body: "x", signal: given.signal }).catch(() => {});
    for (const [key, value] of storage.items)
      storage.items.set(key, value.replace(/tickets\/[^"]+/, "tickets/fromElsewhere"));
    const { fetch } = admitted(queue, { storage });
    expect(await (await fetch(at(`/${queue}`), { method: "POST", body: "x" })).text()).toBe("order 1");
  }
});
