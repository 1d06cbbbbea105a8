// Requests of `fetch` that waits which are alike: of two pages, one after the other, under other keys; and what is given up
// when one of them is aborted.

import { afterAll, beforeAll, expect, it } from "vitest";
import { type Service, startService } from "../../../test/support/service.ts";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { type BackendClient, createClient, createFetch, type FetchOptions } from "../src/index.ts";
import { MapStorage } from "./support/map-storage.ts";

let service: Service;
let usher: Usher;
let backend: BackendClient;

beforeAll(async () => {
  service = await startService();
  usher = await startUsher({
    config: `
services: { shop: { url: "${service.url}" } }
queues:
  orders: { kind: defer, limit: { rate_per_second: 100, max_active: 100 }, max_wait: 1h, mode: paused }
routes:
  - { match: /orders, service: shop, queue: orders, hold: 0s }
  - { match: /held, service: shop, queue: orders, hold: 1m }
`,
  });
  backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
});

afterAll(async () => {
  backend?.close();
  await usher?.stop();
  await service?.stop();
});

const lastNumber = async () => (await backend.queue("orders")).lastNumber;

/** A page, and the numbers of its tickets. */
function page(storage: MapStorage, options: FetchOptions = {}) {
  const numbers: number[] = [];
  const fetch = createFetch({
    ...{ storage, timings: { reconnect: 20, pace: 20 } },
    ...options,
    onStatus: ({ number }) => numbers.push(number),
  });
  const order = (init: RequestInit = {}, path = "orders") =>
    fetch(`${usher.gatewayUrl}/${path}`, { method: "POST", body: "two seats", ...init });
  return { order, numbers };
}

it("a page that hears of its answer late does not have another's next order forgotten, which is like it", async () => {
  const storage = new MapStorage();
  const before = await lastNumber();
  let hear = (): void => {};
  const heard = new Promise<void>((resolve) => {
    hear = resolve;
  });
  const one = page(storage);
  const late = page(storage, {
    async fetch(input, init) {
      const response = await fetch(input, init);
      if (`${input}`.endsWith("/response")) await heard;
      return response;
    },
  });
  const first = one.order();
  await expect.poll(() => one.numbers).toContain(before + 1);
  const same = late.order();
  await expect.poll(() => late.numbers).toContain(before + 1);
  await backend.admit("orders");
  await first;

  const given = new AbortController();
  const next = one.order({ signal: given.signal });
  await expect.poll(() => one.numbers).toContain(before + 2);
  hear();
  await same;
  const reloaded = page(storage);
  const again = reloaded.order();
  await expect.poll(() => reloaded.numbers).not.toEqual([]);
  await backend.admit("orders", { count: 10 });
  await Promise.all([next, again]);
  expect(reloaded.numbers[0]).toBe(before + 2);
  expect(await lastNumber()).toBe(before + 2);
});

it("requests that are alike, with keys of the caller's own that are not, are each carried out", async () => {
  const { order, numbers } = page(new MapStorage());
  const [asked, before] = [service.seen.length, await lastNumber()];
  const keys = ["the-first-key-of-somebody", "the-second-key-of-somebody"];
  const orders: Promise<Response>[] = [];
  for (const [at, key] of keys.entries()) {
    orders.push(order({ headers: { "idempotency-key": key } }));
    await expect.poll(() => numbers.length).toBeGreaterThan(at);
  }
  await backend.admit("orders", { count: 10 });
  await Promise.all(orders);
  expect(service.seen.slice(asked).map(({ headers }) => headers["idempotency-key"])).toEqual(keys);
  expect(await lastNumber()).toBe(before + 2);
});

it("a redirect to the request itself leads to the service again, and not to the answer that it was", async () => {
  const [asked, echo] = [service.seen.length, service.answer];
  service.answer = (res, seen) => {
    if (service.seen.length > asked + 1) return echo(res, seen);
    res.writeHead(307, { location: seen.target }).end();
  };
  const { order, numbers } = page(new MapStorage(), {
    onFault: (error) => {
      throw error;
    },
  });
  const answer = order();
  for (const ticket of [1, 2]) {
    await expect.poll(() => new Set(numbers).size).toBe(ticket);
    await backend.admit("orders");
  }
  expect((await answer).status).toBe(200);
  expect(service.seen).toHaveLength(asked + 2);
  service.answer = echo;
});

it.each(["leave", "keep"] as const)(
  "an order that is aborted while the gateway holds its answer back is taken back, unless it is kept (%s)",
  async (onAbort) => {
    const asked = service.seen.length;
    const waiting = async () => (await backend.queue("orders")).waiting;
    const given = new AbortController();
    const questions: string[] = [];
    const fetch = createFetch({
      onAbort,
      fetch(input, init) {
        if (`${input}`.includes("/_usher/")) questions.push(`${init?.method ?? "GET"}`);
        return globalThis.fetch(input, init);
      },
    });
    const order = fetch(`${usher.gatewayUrl}/held`, { method: "POST", body: "x", signal: given.signal });
    order.catch(() => {});
    await expect.poll(waiting).toBe(1);
    given.abort(new Error("no more"));
    await expect(order).rejects.toThrow("no more");
    await expect.poll(waiting).toBe(onAbort === "leave" ? 0 : 1);
    expect(questions).toEqual(onAbort === "leave" ? ["GET", "DELETE"] : []);
    await backend.admit("orders");
    await expect.poll(() => service.seen.length).toBe(onAbort === "leave" ? asked : asked + 1);
  },
);

it("an order that is aborted leaves its place to one that is the same, and is still held, or came upon its place", async () => {
  const { order, numbers } = page(new MapStorage());
  for (const path of ["orders", "held"]) {
    const asked = service.seen.length;
    const before = await lastNumber();
    const at = (signal?: AbortSignal) => order({ ...(signal && { signal }) }, path);
    const first = at();
    await expect.poll(lastNumber).toBe(before + 1);
    const given = new AbortController();
    const second = at(given.signal);
    second.catch(() => {});
    if (path === "orders") await expect.poll(() => numbers.filter((n) => n === before + 1).length).toBe(2);
    given.abort(new Error("once is enough"));
    await expect(second).rejects.toThrow("once is enough");
    await backend.admit("orders");
    expect((await first).status).toBe(200);
    expect(service.seen).toHaveLength(asked + 1);
  }
});
