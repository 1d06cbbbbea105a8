// Clients whose wall clock is wrong, or put forward or back while they wait: what they do is never computed from it, nor
// from how it differs from the server's. The program is another process, whose clock is right.

import { connect, createServer, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type Service, startService } from "../../../test/support/service.ts";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { createGuard } from "../src/guard.ts";
import { type BackendClient, createClient, createFetch, type QueueClient } from "../src/index.ts";
import { createClient as createWebClient } from "../src/web.ts";
import { openGrpcProxy } from "./support/grpc-proxy.ts";
import { onFetch } from "./support/guarded.ts";
import { MapStorage } from "./support/map-storage.ts";
import { openProxy } from "./support/proxy.ts";
import { Shower, Signer } from "./support/signer.ts";
import { listening } from "./support/stranger.ts";

const HOUR_MS = 3_600_000;
const SKEWS: readonly [name: string, skew_ms: number][] = [
  ["an hour ahead", HOUR_MS],
  ["an hour behind", -HOUR_MS],
];

let service: Service;
let usher: Usher;
let backend: BackendClient;

beforeAll(async () => {
  service = await startService();
  usher = await startUsher({
    config: `
services: { shop: { url: "${service.url}" } }
queues:
  concert: { kind: pass, limit: { rate_per_second: 1, max_active: 100 }, max_wait: 1h, mode: paused }
  orders: { kind: defer, limit: { rate_per_second: 100, max_active: 100 }, max_wait: 1h, mode: paused }
  checkout: { kind: pass, limit: { rate_per_second: 100, max_active: 100 }, max_wait: 1h, mode: paused }
routes:
  - { match: GET /concert, service: shop, queue: concert }
  - { match: /orders, service: shop, queue: orders, hold: 0s }
  - { match: /checkout, service: shop, queue: checkout }
`,
  });
  backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
});

afterEach(() => {
  vi.useRealTimers();
});

afterAll(async () => {
  backend?.close();
  await usher?.stop();
  await service?.stop();
});

/** Puts the clock of this process forward, or back: by so many milliseconds from what is right. */
function setClock(skew_ms: number): void {
  vi.useRealTimers();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + skew_ms });
}

const grpc = (baseUrl: string): QueueClient =>
  createClient({ baseUrl, apiKey: usher.apiKey, attempts: 1, timeout: 5_000 });
const web = (baseUrl: string): QueueClient => createWebClient({ baseUrl, attempts: 1, timeout: 5_000 });

describe.each([
  ["over gRPC", grpc, () => openGrpcProxy(`http://${usher.nativeAddress}`)],
  ["over Connect", web, () => openProxy(usher.gatewayUrl)],
])("%s", (_, open, proxied) => {
  it.each(SKEWS)("a watch with a clock that is %s, and then put right, is one stream", async (_, skew_ms) => {
    setClock(skew_ms);
    const proxy = await proxied();
    using client = open(proxy.url);
    const ticket = await client.issue("concert");
    const faults: unknown[] = [];
    const watch = ticket.watch({ onRetry: (fault) => faults.push(fault) });
    await watch.next();
    const next = watch.next();
    await expect.poll(() => proxy.asked.filter(({ path }) => path.endsWith("/WatchPosition")).length).toBe(1);
    setClock(0);
    await backend.admit("concert", { ticket: ticket.id });
    const admitted = (await next).value;
    expect(admitted).toMatchObject({ state: "admitted", position: 0 });
    setClock(-skew_ms);
    await backend.complete(ticket.id);
    expect((await watch.next()).value).toMatchObject({ state: "completed" });
    expect((await watch.next()).done).toBe(true);
    expect(faults).toEqual([]);
    expect(proxy.asked.filter(({ path }) => path.endsWith("/WatchPosition"))).toHaveLength(1);
    // The server's moments are told as they are.
    vi.useRealTimers();
    expect(Math.abs(Date.now() - (admitted?.admittedAt?.getTime() ?? 0))).toBeLessThan(HOUR_MS / 2);
  });

  it.each(SKEWS)("a call under way is answered when the clock is suddenly %s", async (_, skew_ms) => {
    const held = await holding(open === grpc ? usher.ports.native : usher.ports.gateway);
    using client = open(`http://127.0.0.1:${held.port}`);
    const issuing = client.issue("concert");
    await held.arrived;
    setClock(skew_ms);
    held.release();
    const ticket = await issuing;
    expect(ticket.status.state).toBe("waiting");
    await ticket.leave();
  });
});

describe.each(["orders", "checkout"])("fetch for %s", (queue) => {
  const order = (body: string) => ({ method: "POST", body });
  const url = () => `${usher.gatewayUrl}/${queue}`;

  it.each(SKEWS)(
    "with a clock that is %s, and then put right, is answered at its turn",
    async (_, skew_ms) => {
      setClock(skew_ms);
      const asked = service.seen.length;
      const faults: unknown[] = [];
      const fetch = createFetch({
        onFault: (fault) => faults.push(fault),
        onStatus({ id, state }) {
          if (state !== "waiting") return;
          setClock(-skew_ms);
          void backend.admit(queue, { ticket: id });
        },
      });
      const answer = await fetch(url(), order("one"));
      expect([answer.status, faults]).toEqual([200, []]);
      expect(service.seen).toHaveLength(asked + 1);
    },
  );

  it.each(SKEWS)("is taken up after a reload when the clock was %s before", async (_, skew_ms) => {
    const storage = new MapStorage();
    setClock(skew_ms);
    const given = new AbortController();
    const first = createFetch({ storage, onAbort: "keep", onStatus: () => given.abort() });
    await first(url(), { ...order("two"), signal: given.signal }).catch(() => {});
    const { lastNumber } = await backend.queue(queue);
    setClock(0);
    const second = createFetch({
      storage,
      onStatus: ({ id, state }) => state === "waiting" && void backend.admit(queue, { ticket: id }),
    });
    expect((await second(url(), order("two"))).status).toBe(200);
    expect((await backend.queue(queue)).lastNumber).toBe(lastNumber);
  });
});

it.each([
  ["half a day ago is the same", -12, 1],
  ["for half a day from now, by a clock that was wrong, is the same", 12, 1],
  ["two days ago is another", -48, 2],
  ["for two days from now, by a clock that was wrong, is another", 48, 2],
])("a request that was remembered %s", async (_, hours, keys) => {
  const storage = new MapStorage();
  const sent: (string | null)[] = [];
  const fetch = createFetch({
    storage,
    attempts: 1,
    fetch(_, init) {
      sent.push(new Headers(init?.headers).get("idempotency-key"));
      return Promise.reject(new TypeError("the answer is lost"));
    },
  });
  for (const skew_ms of [hours * 3_600_000, 0]) {
    setClock(skew_ms);
    await expect(fetch("http://shop.test/orders", { method: "POST", body: "one" })).rejects.toThrow("lost");
  }
  expect([sent.length, new Set(sent).size]).toEqual([2, keys]);
});

it("a guard goes by its own clock for a pass's end alone, and asks for no keys again when that jumps", async () => {
  const signer = await Signer.make("first");
  await using shower = await Shower.start(signer);
  const guard = createGuard({ jwks: shower.url, queue: "concert", audience: "shop" });
  await using guarded = await onFetch(guard);
  const headers = { "usher-pass": await signer.pass() };
  const statuses: number[] = [];
  // The pass is good for ten minutes, and given out in the future of a clock that is behind.
  for (const skew_ms of [0, -HOUR_MS, HOUR_MS, 0]) {
    setClock(skew_ms);
    statuses.push((await fetch(guarded.url, { headers })).status);
  }
  expect(statuses).toEqual([200, 200, 403, 200]);
  expect(shower.asked).toBe(1);
});

/** A port before another that lets nothing through until it is told to. */
async function holding(to: number) {
  const first = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const server = createServer((socket: Socket) => {
    first.resolve();
    void gate.promise.then(() => {
      const out = connect(to, "127.0.0.1");
      out.on("error", () => socket.destroy());
      socket.once("close", () => out.destroy());
      socket.pipe(out).pipe(socket);
    });
  });
  return { port: await listening(server), arrived: first.promise, release: () => gate.resolve() };
}
