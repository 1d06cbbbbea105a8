// Two gateways in front of one service, on one log: what one of them took, the other answers, or sends.

import { decodeRecord } from "@usher/replica";
import { type Entry, type MemoryLogOptions, MemoryStore } from "@usher/ticket-log";
import { expect, test, vi } from "vitest";
import * as defer from "./support/defer-queue.ts";
import { configure, type Node, QUEUE } from "./support/defer-queue.ts";
import { openHttp } from "./support/service.ts";

const PATIENCE = { timeout: 20_000, interval: 20 };

function openNode(
  store: MemoryStore,
  name: string,
  service: number,
  fate?: MemoryLogOptions["fate"],
): Promise<Node> {
  return defer.openNode({ store, name, service, ...(fate !== undefined && { fate }) });
}

/** A service that holds every request until it is told to answer all. */
async function openShop() {
  const waiting: (() => void)[] = [];
  const got: string[] = [];
  const open = { value: false };
  const port = await openHttp((req, res) => {
    got.push(`${req.headers["usher-ticket"] ?? "straight"}`);
    const answer = () => res.end(`answer to ${req.headers["usher-ticket"]}`);
    if (open.value) answer();
    else waiting.push(answer);
  });
  return {
    port,
    got,
    answerAll() {
      open.value = true;
      for (const answer of waiting.splice(0)) answer();
    },
  };
}

/** Posts a purchase, and tells where its ticket is, without a host: every gateway answers for it. */
async function purchase({ gateway }: Node): Promise<string> {
  const response = await fetch(`${gateway.url}/purchases`, { method: "POST", body: "{}" });
  await response.arrayBuffer();
  expect(response.status).toBe(202);
  return response.headers.get("location") ?? "";
}

async function answerOf({ gateway }: Node, location: string): Promise<string> {
  return vi.waitFor(async () => {
    const response = await fetch(`${gateway.url}${location}`);
    const text = await response.text();
    expect([response.status, text]).toEqual([200, expect.stringMatching(/^answer to \d+$/)]);
    return text;
  }, PATIENCE);
}

test("what one gateway took is answered through the other", async () => {
  const shop = await openShop();
  const store = new MemoryStore({ shared: true });
  const [a, b] = [await openNode(store, "a", shop.port), await openNode(store, "b", shop.port)];
  await configure(a, {}, 1);
  shop.answerAll();
  const location = await purchase(a);
  expect(await answerOf(b, location)).toBe("answer to 1");
  expect(shop.got).toEqual(["1"]);
});

test("each keeps to its share, and what one has too much of the other sends", async () => {
  const shop = await openShop();
  const store = new MemoryStore({ shared: true });
  const [a, b] = [await openNode(store, "a", shop.port), await openNode(store, "b", shop.port)];
  await configure(a, {}, 1);
  const locations = await Promise.all(Array.from({ length: 12 }, () => purchase(a)));
  await vi.waitFor(() => expect(shop.got).toHaveLength(4), PATIENCE);
  expect(new Set(shop.got)).toEqual(new Set(["1", "2", "3", "4"]));
  const claims = [...(b.replica.fold.queue(QUEUE)?.activeTickets() ?? [])].map(({ claim }) => claim?.session);
  const byNode = claims.map((session) => session && b.replica.fold.sessions.node(session));
  expect(byNode.filter((node) => node === "a")).toHaveLength(2);
  expect(byNode.filter((node) => node === "b")).toHaveLength(2);
  shop.answerAll();
  for (const [n, location] of locations.entries())
    expect(await answerOf(n % 2 === 0 ? a : b, location)).toMatch(/^answer to/);
  expect(shop.got).toHaveLength(12);
  expect(new Set(shop.got).size).toBe(12);
});

test("what a dead node had taken and not sent, the other sends, once", async () => {
  const shop = await openShop();
  const store = new MemoryStore({ shared: true });
  const [a, b] = [await openNode(store, "a", shop.port), await openNode(store, "b", shop.port)];
  await configure(a, { mode: "paused" }, 1);
  const locations = await Promise.all(Array.from({ length: 6 }, () => purchase(a)));
  await a.die();
  shop.answerAll();
  await configure(b, {}, 2);
  for (const location of locations) expect(await answerOf(b, location)).toMatch(/^answer to/);
  expect(shop.got.toSorted()).toEqual(["1", "2", "3", "4", "5", "6"]);
});

test("a request that is stored elsewhere, but not here, is left to the nodes that have it", async () => {
  const shop = await openShop();
  shop.answerAll();
  const store = new MemoryStore({ shared: true });
  const [a, b] = [await openNode(store, "a", shop.port), await openNode(store, "b", shop.port)];
  await configure(a, { mode: "paused" }, 1);
  const locations = await Promise.all([purchase(a), purchase(a), purchase(a), purchase(a)]);
  // The node that took them still has them in memory.
  store.dropPayloads([1, 2, 3, 4].flatMap((n) => a.replica.fold.queue(QUEUE)?.ticket(n)?.origin ?? []));
  await configure(b, {}, 2);
  for (const location of locations) expect(await answerOf(a, location)).toMatch(/^answer to/);
  expect(shop.got.toSorted()).toEqual(["1", "2", "3", "4"]);
});

for (const [whose, name] of [
  ["its node's next process", "a"],
  ["another node", "b"],
] as const) {
  test(`a request that the log's store has lost is called failed by ${whose}, and the next has its slot`, async () => {
    const shop = await openShop();
    shop.answerAll();
    const store = new MemoryStore({ shared: true });
    const a = await openNode(store, "a", shop.port);
    await configure(a, { mode: "paused" }, 1);
    const lost = [await purchase(a), await purchase(a)];
    store.dropPayloads([1, 2].flatMap((n) => a.replica.fold.queue(QUEUE)?.ticket(n)?.origin ?? []));
    const next = await purchase(a);
    await a.die();
    const left = await openNode(store, name, shop.port);
    await configure(left, { max_active: 2 }, 2);
    expect(await answerOf(left, next)).toBe("answer to 3");
    for (const location of lost)
      expect((await fetch(`${left.gateway.url}${location}/response`)).status).toBe(502);
    expect(shop.got).toEqual(["3"]);
  });
}

for (const [when, claims] of [
  ["after its node had given up waiting for it is given back, and made anew", 1],
  ["while its node claims again is taken for that one", 2],
] as const)
  test(`a claim that reaches the log ${when}: the request is sent, once`, async () => {
    const shop = await openShop();
    shop.answerAll();
    const late: Entry[] = [];
    let holding = true;
    const a = await openNode(new MemoryStore({ shared: true }), "a", shop.port, (entry) => {
      const decoded = decodeRecord(entry.value);
      const isClaim = decoded.kind === "record" && decoded.record.event.kind === "dispatch_claimed";
      if (!holding || !isClaim) return "written";
      late.push(entry);
      return "stuck";
    });
    await configure(a, {}, 1);
    const location = await purchase(a);
    await vi.waitFor(() => expect(late).toHaveLength(1), PATIENCE);
    a.leap(11_000);
    await vi.waitFor(() => expect(a.faults).toMatchObject([{ outcome: "unknown" }]), PATIENCE);
    await vi.waitFor(() => expect(late).toHaveLength(claims), PATIENCE);
    holding = false;
    for (const entry of late) a.log.inject(entry);
    expect(await answerOf(a, location)).toBe("answer to 1");
    expect(shop.got).toEqual(["1"]);
    const { attempt } = a.replica.fold.queue(QUEUE)?.ticket(1) ?? {};
    expect(attempt).toBe(claims === 1 ? 2 : 1);
  });
