// What becomes of stored requests whose service refuses them, answers late, or fails again and again: nothing beyond the
// limit, nothing twice, nothing given up that could still be answered.

import { MemoryStore } from "@usher/ticket-log";
import { expect, test, vi } from "vitest";
import { configure, type Node, openNode, QUEUE } from "./support/defer-queue.ts";
import { openHttp, until } from "./support/service.ts";

const PATIENCE = { timeout: 30_000, interval: 20 };

interface Got {
  readonly at_ms: number;
  readonly body: string;
  readonly key: string;
  /** Absent: it came straight through. */
  readonly ticket: string | undefined;
}

interface Shop {
  readonly port: number;
  readonly got: Got[];
  /** The most requests at once. */
  readonly most: number;
}

/** A service that says what becomes of a request. `answer`: a status, or when to give one. */
async function openShop(answer: (got: Got, nth: number) => number | Promise<number>): Promise<Shop> {
  const got: Got[] = [];
  let inFlight = 0;
  let most = 0;
  const port = await openHttp((req, res) => {
    most = Math.max(most, ++inFlight);
    res.once("close", () => inFlight--);
    let body = "";
    req.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    req.once("end", async () => {
      const { "usher-ticket": ticket, "idempotency-key": key } = req.headers;
      const one = { at_ms: performance.now(), body, key: `${key}`, ticket: ticket as string | undefined };
      got.push(one);
      const status = await answer(one, got.length);
      res.writeHead(status, status === 201 ? {} : { "retry-after": "0" }).end(`${status} for ${body}`);
    });
  });
  return {
    port,
    got,
    get most() {
      return most;
    },
  };
}

interface Sent {
  readonly status: number;
  readonly location: string;
  readonly text: string;
  readonly headers: Headers;
}

async function post({ gateway }: Node, body: string): Promise<Sent> {
  const response = await fetch(`${gateway.url}/purchases`, { method: "POST", body });
  const { status, headers } = response;
  return { status, headers, location: headers.get("location") ?? "", text: await response.text() };
}

/** What the holder is told at the end. */
function endOf({ gateway }: Node, { location }: Sent): Promise<Sent> {
  return vi.waitFor(async () => {
    const response = await fetch(`${gateway.url}${location}`);
    const text = await response.text();
    expect(text).not.toMatch(/TICKET_STATE_(WAITING|ADMITTED)/);
    return { status: response.status, location, text, headers: response.headers };
  }, PATIENCE);
}

test.each([
  ["the rate", { rate: 20, most: 40, takes_ms: 20, requests: 60, oneIn: 5 }],
  ["the room", { rate: 1_000, most: 6, takes_ms: 50, requests: 150, oneIn: 8 }],
])("straight through, claimed and sent again, with two gateways: together within %s", async (_, limits) => {
  const { rate, most, takes_ms, requests, oneIn } = limits;
  // So few are refused at first that the retry budget lets all of them come again at once. What goes straight through
  // takes long, so that it is still there when the first of those who wait have their turn.
  const refused = new Set<string>();
  const shop = await openShop(async ({ body, ticket }, nth) => {
    await new Promise((resolve) => setTimeout(resolve, ticket === undefined ? 400 : takes_ms));
    if (nth % oneIn !== 0 || ticket === undefined || refused.has(body)) return 201;
    refused.add(body);
    return nth % 2 === 0 ? 503 : 429;
  });
  const store = new MemoryStore({ shared: true });
  const nodes = [
    await openNode({ store, name: "a", service: shop.port }),
    await openNode({ store, name: "b", service: shop.port }),
  ] as const;
  await configure(nodes[0], { mode: "auto", max_active: most, rate_thousandths: rate * 1_000 }, 1);
  const { fold } = nodes[1].replica;
  await vi.waitFor(() => expect(fold.queue(QUEUE)?.settings.max_active).toBe(most), PATIENCE);
  const sent = await Promise.all(
    Array.from({ length: requests }, async (_, n) => {
      await new Promise((resolve) => setTimeout(resolve, n * 4));
      return post(nodes[n % 2 === 0 ? 0 : 1], `${n}`);
    }),
  );
  for (const [n, one] of sent.entries()) {
    const end = one.status === 202 ? await endOf(nodes[n % 2 === 0 ? 1 : 0], one) : one;
    expect([end.status, end.text]).toEqual([201, `201 for ${n}`]);
  }
  const straight = shop.got.filter(({ ticket }) => ticket === undefined).length;
  expect(straight, "some went straight through").toBeGreaterThan(0);
  expect(straight, "some had to wait").toBeLessThan(requests);
  expect(refused.size, "some were sent again").toBeGreaterThan(0);
  expect(shop.got.length).toBe(requests + refused.size);
  expect(shop.most).toBeLessThanOrEqual(most);
  const took_s = ((shop.got.at(-1)?.at_ms ?? 0) - (shop.got[0]?.at_ms ?? 0)) / 1_000;
  // A burst is a fifth of a second's, and each node's part of it at least one.
  expect(shop.got.length).toBeLessThanOrEqual(rate * took_s + rate / 5 + 2);
});

test("requests that are sent again are few, and the others wait in their slots until they may be", async () => {
  let broken = true;
  const shop = await openShop(() => (broken ? 503 : 201));
  const store = new MemoryStore();
  const node = await openNode({ store, name: "a", service: shop.port, nodes: 1 });
  await configure(node, { max_active: 30, attempts: 100 }, 1);
  const sent = await Promise.all(Array.from({ length: 30 }, (_, n) => post(node, `${n}`)));
  // `Retry-After: 0`: each comes back at once, as often as it may.
  const again = () => shop.got.length - 30;
  await vi.waitFor(() => expect(again()).toBe(10), PATIENCE);
  const ticks = node.replica.fold.now_ms;
  await vi.waitFor(() => expect(node.replica.fold.now_ms).toBeGreaterThan(ticks + 1_000), PATIENCE);
  expect(again()).toBe(10);
  expect(node.replica.fold.queue(QUEUE)?.active).toBe(30);
  broken = false;
  // Ten seconds later, ten more may.
  node.leap(10_000);
  node.leap(10_000);
  for (let n = 0; n < 3; n++) {
    await vi.waitFor(() => expect(again()).toBe(10 * (n + 2)), PATIENCE);
    node.leap(10_000);
  }
  for (const one of sent) expect((await endOf(node, one)).text).toMatch(/^201 for/);
});

test("an answer that comes after its claim has lapsed makes unknown answered", async () => {
  const late = Promise.withResolvers<number>();
  const shop = await openShop(({ body }) => (body === "slow" ? late.promise : 201));
  const node = await openNode({ store: new MemoryStore(), name: "a", service: shop.port, nodes: 1 });
  await configure(node, { max_active: 1 }, 1);
  const [slow, behind] = [await post(node, "slow"), await post(node, "behind")];
  await until(() => shop.got.length === 1);
  // Log time goes on: a tick tells at most a second.
  while (node.replica.fold.queue(QUEUE)?.ticket(1)?.request !== "unknown") {
    node.leap(1_000);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const unknown = await endOf(node, slow);
  expect(unknown.status).toBe(504);
  expect(unknown.headers.get("usher-idempotency-key")).toBe(shop.got[0]?.key);
  // Its place in the queue is free, but not yet its room at the service, which is still at work on it.
  expect(node.replica.fold.queue(QUEUE)?.ticket(2)?.state).toBe("admitted");
  expect(shop.got).toHaveLength(1);
  late.resolve(201);
  await vi.waitFor(async () => expect((await endOf(node, slow)).text).toBe("201 for slow"), PATIENCE);
  expect((await endOf(node, behind)).text).toBe("201 for behind");
  expect(shop.got.map(({ body }) => body)).toEqual(["slow", "behind"]);
  expect(shop.most).toBe(1);
});

test("a request whose attempts are spent tells how many there were, and the last refusal", async () => {
  const shop = await openShop((_, nth) => (nth === 1 ? 429 : 503));
  const node = await openNode({ store: new MemoryStore(), name: "a", service: shop.port, nodes: 1 });
  await configure(node, { max_active: 1, attempts: 2 }, 1);
  const end = await endOf(node, await post(node, "x"));
  expect(end.status).toBe(502);
  expect(JSON.parse(end.text)).toMatchObject({
    type: "urn:usher:problem:request_failed",
    detail: expect.stringMatching(
      /^after 2 attempts, the service refused it the last time with 503; it was not/,
    ),
    attempts: 2,
    lastStatus: 503,
  });
  expect(end.headers.get("usher-idempotency-key")).toBe(shop.got[0]?.key);
});
