// Watches that go on whatever happens underneath, against the real program: killed, or behind a proxy that gets in the way.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { createClient, type QueueClient, type Status, type Ticket, UsherError } from "../src/index.ts";
import { createClient as createWebClient } from "../src/web.ts";
import { openProxy } from "./support/proxy.ts";

const CONFIG = `
services: { shop: { url: "http://127.0.0.1:9" } }
queues:
  concert: { kind: pass, limit: { rate_per_second: 1, max_active: 100 }, max_wait: 1h, mode: paused }
routes:
  - { match: GET /concert, service: shop, queue: concert }
`;

/** As in the wild, and in a hurry. */
const TIMINGS = { reconnect: 20, pace: 20 };

let usher: Usher;

beforeAll(async () => {
  usher = await startUsher({ config: CONFIG });
});

afterAll(() => usher?.stop());

function backend() {
  return createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
}

/** Watches until the end, and does something after the first status. */
async function watched(ticket: Ticket, after: () => Promise<void>): Promise<Status[]> {
  const seen: Status[] = [];
  for await (const status of ticket.watch()) {
    seen.push(status);
    if (seen.length === 1) await after();
    if (status.state === "admitted") break;
  }
  return seen;
}

describe.each([
  [
    "gRPC",
    (): QueueClient =>
      createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey, timings: TIMINGS }),
  ],
  ["Connect", (): QueueClient => createWebClient({ baseUrl: usher.gatewayUrl, timings: TIMINGS })],
])("over %s", (_, open) => {
  it("a watch outlives the node, and goes on with the same ticket when it is back", async () => {
    using client = open();
    const ahead = await client.issue("concert");
    const ticket = await client.issue("concert");
    const seen = await watched(ticket, async () => {
      const { data, ports } = usher;
      await usher.kill();
      usher = await startUsher({ config: CONFIG, data, ports });
      using admitting = backend();
      await admitting.admit("concert", { ticket: ahead.id });
      await admitting.admit("concert", { ticket: ticket.id });
    });
    expect(new Set(seen.map(({ id }) => id))).toEqual(new Set([ticket.id]));
    expect(seen.at(-1)).toMatchObject({ state: "admitted", position: 0 });
    const positions = seen.map(({ position = 0 }) => position);
    expect(positions).toEqual(positions.toSorted((a, b) => b - a));
    using admitting = backend();
    for (const { id } of [ahead, ticket]) await admitting.complete(id);
  });
});

describe("behind a proxy", () => {
  const streams = (asked: readonly { path: string }[]) =>
    asked.filter(({ path }) => path.endsWith("/WatchPosition"));

  it("that cuts streams, a watch asks instead after the third, and comes to its end", async () => {
    const proxy = await openProxy(usher.gatewayUrl);
    proxy.manner = () => "cut";
    using client = createWebClient({ baseUrl: proxy.url, timings: TIMINGS });
    const ticket = await client.issue("concert");
    const asks = () => proxy.asked.filter(({ path }) => path.endsWith("/GetTicket")).length;
    const seen: Status[] = [];
    using admitting = backend();
    const watch = ticket.watch();
    const ended = (async () => {
      for await (const status of watch) {
        seen.push(status);
        if (status.state === "admitted") return;
      }
    })();
    await expect.poll(asks, { timeout: 20_000 }).toBeGreaterThan(0);
    await admitting.admit("concert", { ticket: ticket.id });
    await ended;
    expect(streams(proxy.asked)).toHaveLength(3);
    expect(seen.map(({ state }) => state)).toEqual(["waiting", "admitted"]);
    await admitting.complete(ticket.id);
  });

  it("that holds streams back, a watch asks instead", async () => {
    const proxy = await openProxy(usher.gatewayUrl);
    proxy.manner = () => "buffer";
    using client = createWebClient({ baseUrl: proxy.url, timings: TIMINGS, timeout: 500 });
    const ticket = await client.issue("concert");
    using admitting = backend();
    const seen = await watched(ticket, async () => {
      await admitting.admit("concert", { ticket: ticket.id });
    });
    expect(seen.at(-1)?.state).toBe("admitted");
    await admitting.complete(ticket.id);
  });

  it("that loses the first answer, a retry is the same ticket", async () => {
    const proxy = await openProxy(usher.gatewayUrl);
    proxy.manner = () => (proxy.asked.length === 1 ? "lose" : "pass");
    using client = createWebClient({ baseUrl: proxy.url });
    const { lastNumber } = await backend().queue("concert");
    const ticket = await client.issue("concert");
    expect([ticket.number, ticket.existing]).toEqual([lastNumber + 1, true]);
    expect((await client.queue("concert")).lastNumber).toBe(lastNumber + 1);
    await ticket.leave();
  });

  it("that answers with pages of its own for a while, calls and watches go on when it is over", async () => {
    const proxy = await openProxy(usher.gatewayUrl);
    const faults: string[] = [];
    using client = createWebClient({ baseUrl: proxy.url, timings: TIMINGS });
    proxy.manner = () => (proxy.asked.length <= 2 ? "page" : "pass");
    const ticket = await client.issue("concert");
    expect(proxy.asked).toHaveLength(3);
    proxy.manner = () => "page";
    proxy.cutAll();
    const watch = ticket.watch({ onRetry: ({ code }) => faults.push(code) });
    await watch.next();
    const next = watch.next();
    await expect.poll(() => faults.length).toBeGreaterThan(1);
    proxy.manner = () => "pass";
    using admitting = backend();
    await admitting.admit("concert", { ticket: ticket.id });
    expect((await next).value).toMatchObject({ state: "admitted" });
    await watch.return();
    expect(new Set(faults)).toEqual(new Set(["unexpected_answer"]));
    await admitting.complete(ticket.id);
  });
});

describe("where no Usher is", () => {
  it("a page is named as what it is, at once", async () => {
    const proxy = await openProxy("http://127.0.0.1:9");
    using client = createWebClient({
      baseUrl: proxy.url,
      fetch: async () => new Response("<h1>Welcome</h1>", { headers: { "content-type": "text/html" } }),
    });
    const error = await client.issue("concert").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsherError);
    expect(error).toMatchObject({
      code: "unexpected_answer",
      message: expect.stringContaining("is baseUrl right"),
    });
  });

  it.each([
    ["gRPC", () => createClient({ baseUrl: "http://127.0.0.1:9", attempts: 2 })],
    ["Connect", () => createWebClient({ baseUrl: "http://127.0.0.1:9", attempts: 2 })],
  ])("over %s, it is told that nobody answers, and that it may be tried again", async (_, open) => {
    using client = open();
    const error = await client.issue("concert").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "unreachable", retryable: true, outcome: "unknown" });
  });

  it("one node of several that is gone is passed over", async () => {
    for (let turn = 0; turn < 4; turn++) {
      using client = createClient({
        baseUrl: ["http://127.0.0.1:9", `http://${usher.nativeAddress}`],
        apiKey: usher.apiKey,
      });
      const ticket = await client.issue("concert");
      await ticket.leave();
    }
  });
});
