// Several nodes on one log: who keeps time, and what each of them knows and says when others, or the log, are gone.

import { MemoryStore, openMemoryLog } from "@usher/ticket-log";
import { describe, expect, it } from "vitest";
import { Replica, STALE_MS } from "../src/replica.ts";
import { FRESH_MS, SPREAD_MS, TERM_SILENCE_MS, TICK_IDLE_MS } from "../src/timekeeper.ts";
import { KEYS } from "./support/keys.ts";
import { backend, clientsOf } from "./support/rpc.ts";
import { pass, passing, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, makeQueue, NOBODY, openWorld, recordsOf, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

/** In this time a timekeeper that has gone silent is surely replaced, in ms of a node that reads the log. */
const REPLACED_MS = TERM_SILENCE_MS + SPREAD_MS + 500;

/** Nodes `a`, `b`, …, the first of which keeps time. */
async function nodes(count = 2): Promise<World[]> {
  const store = new MemoryStore({ shared: true });
  const all: World[] = [];
  for (const node of ["a", "b", "c"].slice(0, count)) {
    all.push(await openWorld({ store, node }));
    await pass(1_000);
  }
  expect(all[0]!.replica.timekeeper).toMatchObject({ node: "a", own: true });
  return all;
}

function terms({ store }: World): number {
  return recordsOf(store).filter(({ event }) => event.kind === "term_opened").length;
}

describe("of several nodes", () => {
  it("one keeps time, and the others know who", async () => {
    const [a, b] = await nodes();
    await pass(20_000);
    expect(b!.replica.timekeeper).toEqual({ node: "a", term: 1, own: false });
    expect(terms(a!)).toBe(1);
    expect(a!.replica.fold.now_ms).toBeGreaterThan(20_000);
    expect(b!.replica.fold.now_ms).toBe(a!.replica.fold.now_ms);
  });

  it("another takes over when the timekeeper is silent, once", async () => {
    const [a, b, c] = await nodes(3);
    a!.log.cut();
    await pass(REPLACED_MS);
    const { timekeeper } = b!.replica;
    expect(timekeeper).toMatchObject({ term: 2, node: expect.stringMatching(/^[bc]$/) });
    expect(c!.replica.timekeeper?.node).toBe(timekeeper?.node);
    await pass(10_000);
    expect(b!.replica.timekeeper).toMatchObject({ term: 2 });
  });

  it("a timekeeper that was stopped for 20 s and wakes keeps no time, and its tick counts nothing", async () => {
    const [a, b] = await nodes();
    a!.log.cut();
    await pass(20_000);
    expect(b!.replica.timekeeper).toEqual({ node: "b", term: 2, own: true });
    const before_ms = b!.replica.fold.now_ms;
    const written = a!.store.end;
    a!.log.mend();
    await pass(TICK_IDLE_MS);
    const woken = recordsOf(a!.store).slice(written);
    const own = woken.filter(({ event }) => event.kind === "tick" && event.term === 1);
    expect(own.length).toBeGreaterThan(0);
    expect(b!.replica.fold.now_ms - before_ms).toBeLessThanOrEqual(2 * TICK_IDLE_MS);
    await pass(10_000);
    expect(a!.replica.timekeeper).toEqual({ node: "b", term: 2, own: false });
    expect(a!.replica.fold.now_ms).toBe(b!.replica.fold.now_ms);
  });

  it("the timekeeper hands over at once when it is shut down", async () => {
    const [a, b] = await nodes();
    await passing(a!.close());
    await pass(200);
    expect(b!.replica.timekeeper).toEqual({ node: "b", term: 2, own: true });
  });

  it("none stands that does not reach the log, however silent it is there", async () => {
    const [a, b] = await nodes();
    for (const { log } of [a!, b!]) log.cut();
    await pass(30_000);
    expect(terms(b!)).toBe(1);
    b!.log.mend();
    await pass(FRESH_MS);
    expect(terms(b!)).toBe(1);
    await pass(REPLACED_MS);
    expect(b!.replica.timekeeper).toMatchObject({ node: "b", term: 2 });
  });

  it("that find an empty log together, one begins it, and all are at the same", async () => {
    const store = new MemoryStore({ shared: true });
    const [a, b] = await Promise.all([openWorld({ store, node: "a" }), openWorld({ store, node: "b" })]);
    await pass(1_000);
    expect(a.replica.epoch()).toBe(b.replica.epoch());
    expect(terms(a)).toBeGreaterThan(0);
    await makeQueue(a, "q");
    const first = await issue(a, "q");
    const second = await issue(b, "q");
    expect([first.view.number, second.view.number]).toEqual([1, 2]);
  });
});

describe("a ticket", () => {
  it("that was issued on one node is seen on all, by its token", async () => {
    const [a, b] = await nodes();
    await makeQueue(a!, "q");
    const issued = await issue(a!, "q");
    const seen = await b!.replica.desk.held(issued.token);
    expect(seen.view).toMatchObject({ number: issued.view.number, position: 0 });
  });

  it("is one when the same key asks two nodes at once", async () => {
    const [a, b] = await nodes();
    await makeQueue(a!, "q", { kind: "defer" });
    await turns();
    const wish = { caller: NOBODY, key: "the key of a purchase, long enough", digest: Buffer.alloc(8) };
    const [one, other] = await Promise.all([issue(a!, "q", wish), issue(b!, "q", wish)]);
    expect(one.view.number).toBe(other.view.number);
    expect([one.existing, other.existing].filter(Boolean)).toHaveLength(1);
    const again = b!.replica.desk.find({ queue: "q", ...wish });
    expect(again?.view.number).toBe(one.view.number);
  });

  it("is admitted by any node's word, and completed by another's", async () => {
    const [a, b] = await nodes();
    await makeQueue(a!, "q", { mode: "paused" });
    await turns();
    await issue(a!, "q");
    const waits = await issue(b!, "q");
    expect(waits.view.position).toBe(2);
    const { outcome } = await b!.replica.append({
      kind: "admit_requested",
      queue: "q",
      request_id: "00".repeat(16),
      who: { number: waits.view.number },
    });
    expect(outcome.kind).toBe("admitted");
    await turns();
    expect(a!.replica.desk.again(waits).view.position).toBe(0);
    await a!.replica.desk.complete(waits);
    await turns();
    expect(b!.replica.desk.again(waits).view.state).toBe("completed");
  });
});

describe("a node that does not reach the log", () => {
  it("says so after a while, gives out no tickets, and is well again when it has read everything", async () => {
    const store = new MemoryStore({ shared: true });
    const told: boolean[] = [];
    const world = await openWorld({ store, node: "a", onStale: (stale) => told.push(stale) });
    await makeQueue(world, "q");
    const { token } = await issue(world, "q");
    world.log.cut();
    await pass(STALE_MS - 1_000);
    expect(world.replica).toMatchObject({ stale: false, ready: true });
    await pass(3_000);
    expect(world.replica).toMatchObject({ stale: true, ready: false, halted: undefined });
    await expect(issue(world, "q")).rejects.toMatchObject({ reason: "NOT_READY" });
    const place = await world.replica.desk.held(token);
    expect(world.replica.desk.status(place).stale).toBe(true);
    world.log.mend();
    await pass(2_000);
    expect(world.replica).toMatchObject({ stale: false, ready: true });
    expect(world.replica.desk.status(place).stale).toBe(false);
    expect(told).toEqual([true, false]);
    expect((await issue(world, "q")).view.number).toBe(2);
  });

  it("tells those who watch that their place is old", async () => {
    const [a, b] = await nodes();
    await makeQueue(a!, "q");
    await issue(a!, "q");
    const waits = await issue(b!, "q");
    const stop = new AbortController();
    const seen: boolean[] = [];
    const watching = (async () => {
      for await (const place of b!.replica.desk.watch(waits, stop.signal))
        seen.push(b!.replica.desk.status(place).stale);
    })();
    await turns();
    b!.log.cut();
    await pass(STALE_MS + 2_000);
    expect([seen.at(0), seen.at(-1)]).toEqual([false, true]);
    b!.log.mend();
    await pass(2_000);
    expect(seen.at(-1)).toBe(false);
    stop.abort();
    await watching;
  });

  it("is stale, too, while it reads a log that takes nothing, so that nobody keeps time and nobody moves", async () => {
    const told: boolean[] = [];
    let writable = true;
    const world = await openWorld({
      ...{ store: new MemoryStore({ shared: true }), node: "a", onStale: (stale) => told.push(stale) },
      fate: () => (writable ? "written" : "refused"),
    });
    await makeQueue(world, "q");
    writable = false;
    await pass(STALE_MS + 2_000);
    expect(world.replica.stale).toBe(true);
    const { node } = await clientsOf(world, backend()).admin.getNode({});
    expect(node?.unreadyReason).toMatch(/^nobody has kept time in the log for \d+ s$/);
    await expect(issue(world, "q")).rejects.toMatchObject({ reason: "NOT_READY" });
    writable = true;
    await pass(3_000);
    expect(world.replica).toMatchObject({ stale: false, ready: true });
    expect(told).toEqual([true, false]);
  });

  it("is well for as long as there is nothing to do", async () => {
    const told: boolean[] = [];
    const store = new MemoryStore({ shared: true });
    const world = await openWorld({ store, node: "a", onStale: (stale) => told.push(stale) });
    await pass(60_000);
    expect(world.replica).toMatchObject({ stale: false, ready: true });
    expect(told).toEqual([]);
  });

  it("tells when it has read everything for the first time, if it had not when it opened", async () => {
    const told: boolean[] = [];
    const log = openMemoryLog({ store: new MemoryStore({ shared: true }) });
    const follow = log.follow.bind(log);
    let behind = true;
    log.follow = (from, follower) => {
      const following = follow(from, follower);
      return {
        get lag_ms() {
          return behind ? Number.POSITIVE_INFINITY : following.lag_ms;
        },
        close: () => following.close(),
      };
    };
    const replica = await Replica.open({
      ...{ log, keys: KEYS, node: "a", onStale: (stale) => told.push(stale) },
      onFault: (error) => expect.fail(error.message),
    });
    expect([replica.stale, replica.ready]).toEqual([true, false]);
    behind = false;
    await pass(2_000);
    expect(replica).toMatchObject({ stale: false, ready: true });
    expect(told).toEqual([false]);
    await passing(replica.close());
    await log.close();
  });

  it("stops opening when it is told to", async () => {
    const store = new MemoryStore({ shared: true });
    await passing((await openWorld({ store, node: "a" })).close());
    const stop = new AbortController();
    const opening = openWorld({ store, node: "b", signal: stop.signal });
    stop.abort();
    await expect(opening).rejects.toMatchObject({ code: "closed" });
  });
});
