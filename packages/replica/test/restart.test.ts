// The same log, another process.

import { differences } from "@usher/queue";
import { MemoryStore, openMemoryLog } from "@usher/ticket-log";
import { describe, expect, it } from "vitest";
import { Reader } from "../src/reader.ts";
import { clientsOf, refusalOf } from "./support/rpc.ts";
import { pass, stopClocks, turns } from "./support/time.ts";
import {
  closeWorlds,
  entriesOf,
  issue,
  kinds,
  makeQueue,
  openWorld,
  recordsOf,
  type World,
} from "./support/world.ts";

stopClocks();
closeWorlds();

/** A node with people in every state, and some time behind it. */
async function busyWorld(store: MemoryStore): Promise<World> {
  const world = await openWorld({ store });
  await makeQueue(world, "q", { rate_thousandths: 1_500, max_active: 3, key_retention_ms: 60_000 });
  await makeQueue(world, "other", { kind: "defer" });
  for (let n = 0; n < 12; n++) {
    const place = await issue(world, "q", {
      key: `key ${n}`,
      subject: `somebody ${n}`,
      digest: Buffer.alloc(8, n),
    });
    if (n % 5 === 1) await world.replica.desk.leave(place);
    if (n % 5 === 2) await world.replica.desk.complete(place).catch(() => {});
    await pass(700);
  }
  return world;
}

/** The openings of a node's sessions, in order. */
function openings(store: MemoryStore, node: string) {
  return recordsOf(store).flatMap(({ session, event }) =>
    event.kind === "session_opened" && event.node === node ? [{ session, former: event.former }] : [],
  );
}

describe("a node that was started again", () => {
  it("knows exactly what it knew", async () => {
    const store = new MemoryStore();
    const world = await busyWorld(store);
    await world.close();
    const log = openMemoryLog({ store });
    const reader = new Reader(log);
    await reader.readToEnd();
    expect(differences(reader.fold, world.replica.fold)).toEqual([]);
    reader.close();
    await log.close();
  });

  it("takes old tokens and old keys, and shows everybody the place that they had", async () => {
    const store = new MemoryStore();
    const world = await busyWorld(store);
    const places = await Promise.all(
      Array.from({ length: 5 }, (_, n) => issue(world, "q", { key: `late ${n}` })),
    );
    const before = places.map(({ view }) => world.replica.fold.queue("q")!.position(view.number));
    await world.close();

    const again = await openWorld({ store });
    const { queue } = clientsOf(again);
    for (const [n, { token, view }] of places.entries()) {
      const { status } = await queue.getTicket({ token });
      expect(status!.ticket).toMatchObject({ number: view.number, position: before[n] });
      const retried = await issue(again, "q", { key: `late ${n}` });
      expect(retried).toMatchObject({ existing: true, view: { number: view.number } });
    }
    expect(again.replica.fold.queue("q")!.lastNumber).toBe(17);
    expect((await issue(again, "q")).view.number).toBe(18);
  });

  it("keeps time in a new term, and the time that it was away does not count", async () => {
    const store = new MemoryStore();
    const world = await openWorld({ store });
    await pass(3_000);
    await world.close();
    const { now_ms, term } = world.replica.fold;
    await pass(60_000);
    const again = await openWorld({ store });
    await turns();
    expect(again.replica.fold).toMatchObject({ term: term + 1, now_ms });
    await pass(1_000);
    expect(again.replica.fold.now_ms).toBe(now_ms + 1_000);
    expect(kinds(store).filter((kind) => kind === "term_opened")).toHaveLength(2);
  });

  it("though killed, never having given its term back, keeps time; what was on its way is void", async () => {
    const store = new MemoryStore();
    const world = await busyWorld(store);
    const found = store.copy();
    const { now_ms, term } = world.replica.fold;
    // The killed process's last words, still on their way.
    const { end } = store;
    await issue(world, "q");
    await pass(500);
    const late = entriesOf(store).slice(end);
    expect(late.length).toBeGreaterThan(5);
    await world.close();

    const again = await openWorld({ store: found });
    expect(await issue(again, "q")).toMatchObject({ view: { number: 13 } });
    expect(again.replica.fold).toMatchObject({ term: term + 1, now_ms });
    for (const entry of late) again.log.inject(entry);
    await turns();
    expect(again.replica.fold).toMatchObject({ term: term + 1, now_ms });
    expect(again.replica.fold.queue("q")!.lastNumber).toBe(13);
    expect(again.faults).toEqual([]);
  });

  it("on another log, with the same keys, answers old tokens that the queue was made anew", async () => {
    const world = await busyWorld(new MemoryStore());
    const { token } = await issue(world, "q");
    const anew = await openWorld({ store: new MemoryStore() });
    await makeQueue(anew, "q");
    await issue(anew, "q");
    const { queue } = clientsOf(anew);
    expect(await refusalOf(queue.getTicket({ token }))).toMatchObject({
      reason: "QUEUE_RESET",
      code: "FailedPrecondition",
    });
    expect(await refusalOf(queue.leave({ token }))).toMatchObject({ reason: "QUEUE_RESET" });
    expect(anew.replica.fold.queue("q")).toMatchObject({ lastNumber: 1, active: 1 });
  });
});

describe("the sessions of a node that was started again", () => {
  it("name those that the process before wrote in last, one by one", async () => {
    const store = new MemoryStore();
    for (const life of [1, 2, 3]) {
      const world = await openWorld({ store });
      if (life === 1) await makeQueue(world, "q");
      await issue(world, "q");
      await world.close();
    }
    for (const node of ["node", "node/time"]) {
      const [first, second, third] = openings(store, node);
      expect(first!.former).toBe(0n);
      expect(second!.former).toBe(first!.session);
      expect(third!.former).toBe(second!.session);
    }
  });

  it("are named rightly though an old opening came a second time", async () => {
    const store = new MemoryStore();
    for (const life of [1, 2]) {
      const world = await openWorld({ store });
      if (life === 1) await makeQueue(world, "q");
      await issue(world, "q");
      await world.close();
    }
    const [first, second] = openings(store, "node");
    const at = recordsOf(store).findIndex(({ session }) => session === first!.session);
    store.write(entriesOf(store)[at + 1]!, undefined, 0);
    expect(openings(store, "node").at(-1)).toEqual(first);

    const world = await openWorld({ store });
    await issue(world, "q");
    expect(openings(store, "node").at(-1)!.former).toBe(second!.session);
  });
});
