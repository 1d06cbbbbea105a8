// A visitor: somebody whom nothing tells apart but a secret of their browser's.

import { ALIASES_MAX } from "@usher/queue";
import { MemoryStore } from "@usher/ticket-log";
import { describe, expect, it } from "vitest";
import { pass, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, kinds, makeQueue, NOBODY, openWorld, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

const VISITOR = "q0kqTzW0aB3mX2b8mNQe1w";

function issues({ store }: World): number {
  return kinds(store).filter((kind) => kind === "ticket_issued").length;
}

describe("a visitor", () => {
  it("who asks again and again has one ticket, and the log one record", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    await issue(world, "q");
    const first = await issue(world, "q", { visitor: VISITOR });
    for (let n = 0; n < 50; n++) {
      const again = await issue(world, "q", { visitor: VISITOR });
      expect(again).toMatchObject({ existing: true, view: { number: first.view.number } });
    }
    expect(world.replica.desk.findVisitor({ queue: "q", visitor: VISITOR })?.view.number).toBe(2);
    expect([first.existing, issues(world)]).toEqual([false, 2]);
  });

  it("has one ticket though two nodes are asked at once, and each finds it later without a record", async () => {
    const store = new MemoryStore({ shared: true });
    const [a, b] = await Promise.all([openWorld({ store, node: "a" }), openWorld({ store, node: "b" })]);
    await pass(1_000);
    await makeQueue(a, "q");
    await turns();
    const wish = { visitor: VISITOR };
    const [one, other] = await Promise.all([issue(a, "q", wish), issue(b, "q", wish)]);
    expect(one.view.number).toBe(other.view.number);
    await turns();
    for (const { replica } of [a, b]) {
      const found = replica.desk.findVisitor({ queue: "q", ...wish });
      expect(found?.view.number).toBe(one.view.number);
    }
    expect(issues(a)).toBe(2);
  });

  it("who has left, or was served, takes another ticket", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const first = await issue(world, "q", { visitor: VISITOR });
    await world.replica.desk.leave(first);
    expect(world.replica.desk.findVisitor({ queue: "q", visitor: VISITOR })).toBeUndefined();
    const second = await issue(world, "q", { visitor: VISITOR });
    await world.replica.desk.complete(second);
    const third = await issue(world, "q", { visitor: VISITOR });
    expect([second, third].map(({ view, existing }) => [view.number, existing])).toEqual([
      [2, false],
      [3, false],
    ]);
  });

  it("is never the subject that a backend names by the same text, nor a visitor of another queue", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    await makeQueue(world, "other");
    const visitor = await issue(world, "q", { visitor: VISITOR });
    const subject = await issue(world, "q", { subject: VISITOR });
    const elsewhere = await issue(world, "other", { visitor: VISITOR });
    expect(subject.view.number).not.toBe(visitor.view.number);
    expect(elsewhere.existing).toBe(false);
  });

  it("who is known is found in a queue that takes nobody; others are refused without a record", async () => {
    const world = await openWorld();
    await makeQueue(world, "q", { max_waiting: 2 });
    await issue(world, "q");
    const waits = await issue(world, "q", { visitor: VISITOR });
    await issue(world, "q");
    const before = issues(world);
    const again = await issue(world, "q", { visitor: VISITOR });
    expect(again.view.number).toBe(waits.view.number);
    for (const wish of [{ visitor: "another" }, { subject: "somebody" }]) {
      await expect(issue(world, "q", wish)).rejects.toMatchObject({ reason: "QUEUE_FULL" });
    }
    expect(issues(world)).toBe(before);
  });
});

describe("a key that a visitor's ticket answered", () => {
  const KEY = "a-key-of-22-characters-or-more";
  const wish = { visitor: VISITOR, key: KEY, digest: Buffer.alloc(8, 1) };

  it("leads to that ticket after its end, on every node, though the visitor has another by then", async () => {
    const store = new MemoryStore({ shared: true });
    const [a, b] = await Promise.all([openWorld({ store, node: "a" }), openWorld({ store, node: "b" })]);
    await pass(1_000);
    await makeQueue(a, "q");
    const first = await issue(a, "q", { visitor: VISITOR });
    const same = await issue(a, "q", wish);
    expect([same.view.number, same.existing]).toEqual([first.view.number, true]);
    await a.replica.desk.leave(first);
    const second = await issue(a, "q", { visitor: VISITOR });
    expect(second.view.number).toBe(2);
    await turns();
    for (const world of [a, b]) {
      expect(world.replica.desk.find({ queue: "q", caller: NOBODY, ...wish })?.view.number).toBe(1);
      expect((await issue(world, "q", wish)).view).toMatchObject({ number: 1, state: "left" });
    }
    const another = { ...wish, digest: Buffer.alloc(8, 2) };
    await expect(issue(b, "q", another)).rejects.toMatchObject({ reason: "KEY_REUSED" });
  });

  it("is one of sixteen; for the next nothing is written", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    await issue(world, "q", { visitor: VISITOR });
    for (let n = 0; n < ALIASES_MAX; n++) await issue(world, "q", { ...wish, key: `${KEY} ${n}` });
    const before = issues(world);
    const next = issue(world, "q", { ...wish, key: `${KEY} and one more` });
    await expect(next).rejects.toMatchObject({ reason: "QUEUE_FULL" });
    expect(issues(world)).toBe(before);
    expect((await issue(world, "q", { visitor: VISITOR })).view.number).toBe(1);
  });
});
