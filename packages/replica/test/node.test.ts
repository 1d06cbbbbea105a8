// GetNode: a node as it sees itself, and the others.

import { durationMs } from "@bufbuild/protobuf/wkt";
import { LogKind, LogState, type Node } from "@usher/protocol/admin";
import { LogError, MemoryStore } from "@usher/ticket-log";
import { describe, expect, it } from "vitest";
import { TICK_IDLE_MS } from "../src/timekeeper.ts";
import { envelope } from "./support/envelope.ts";
import { backend, clientsOf, refusalOf } from "./support/rpc.ts";
import { pass, passing, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, makeQueue, openWorld, recordsOf, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

async function nodeOf(world: World): Promise<Node> {
  const { node } = await clientsOf(world, backend()).admin.getNode({});
  return node ?? expect.fail("there is no node");
}

describe("a node", () => {
  it("shows its name, that it is ready, what it has read, and that it keeps time itself", async () => {
    const world = await openWorld({ node: "ann" });
    await makeQueue(world, "q");
    await pass(2_000);
    const node = await nodeOf(world);
    expect(node).toMatchObject({
      ...{ name: "ann", ready: true, unreadyReason: "", term: 1 },
      log: { kind: LogKind.EMBEDDED, state: LogState.CURRENT, haltedReason: "" },
      timekeeper: { node: "ann", term: 1, own: true },
    });
    expect(node.epoch).toBe(world.replica.epoch());
    expect(node.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(Number(node.log!.asOf)).toBe(world.store.end);
    expect(durationMs(node.log!.lag!)).toBe(0);
    expect(durationMs(node.logTime!)).toBe(world.replica.fold.now_ms);
    expect(world.replica.fold.now_ms).toBeGreaterThan(1_000);
  });

  it("counts what it has read: what counted, what had no effect, and what were no records", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    await turns();
    const before = await nodeOf(world);
    const entries = world.store.read(0, world.store.end);
    world.log.inject(entries.at(-1)!);
    world.log.inject(entries.at(-1)!);
    world.log.inject({ key: "", value: Buffer.from("not a record") });
    await turns();
    const { log } = await nodeOf(world);
    expect(before.log).toMatchObject({ folded: BigInt(entries.length), ignored: 0n, skipped: 0n });
    expect(log).toMatchObject({ folded: before.log!.folded, ignored: 2n, skipped: 1n });
    expect(log!.asOf).toBe(before.log!.asOf + 3n);
  });

  it("that reads the log no further is unready, and says why", async () => {
    const world = await openWorld();
    world.log.failFollowers(new LogError("corrupt", "entries 5 to 7 are missing"));
    await turns();
    const node = await nodeOf(world);
    expect(node).toMatchObject({
      ready: false,
      log: { state: LogState.HALTED, haltedReason: "entries 5 to 7 are missing" },
    });
    expect(node.unreadyReason).toContain("entries 5 to 7 are missing");
  });

  it("that cannot reach the log is stale after a while, says for how long, and is well again by itself", async () => {
    const world = await openWorld();
    world.log.cut();
    await pass(20_000);
    const node = await nodeOf(world);
    expect(node).toMatchObject({ ready: false, log: { state: LogState.STALE, haltedReason: "" } });
    expect(node.unreadyReason).toMatch(/^it has not read the log for \d+ s$/);
    expect(durationMs(node.log!.lag!)).toBeGreaterThanOrEqual(19_000);
    world.log.mend();
    await pass(2_000);
    expect(await nodeOf(world)).toMatchObject({ ready: true, log: { state: LogState.CURRENT } });
  });

  it("that shuts down says so", async () => {
    const world = await openWorld();
    world.replica.drain();
    expect(await nodeOf(world)).toMatchObject({ ready: false, unreadyReason: "it is shutting down" });
  });

  it("is shown to callers with an API key alone", async () => {
    const world = await openWorld();
    for (const key of [undefined, "usher_wrong"]) {
      const { admin } = clientsOf(world, key === undefined ? {} : { "usher-api-key": key });
      expect(await refusalOf(admin.getNode({}))).toMatchObject({ reason: "API_KEY_REQUIRED" });
    }
  });
});

describe("two nodes on one log", () => {
  it("see one timekeeper, and each other with how long the other was silent", async () => {
    const store = new MemoryStore({ shared: true });
    const ann = await passing(openWorld({ node: "ann", store }));
    await pass(1_000);
    const bob = await passing(openWorld({ node: "bob", store }));
    await makeQueue(bob, "q");
    await pass(3_000);
    const [a, b] = [await nodeOf(ann), await nodeOf(bob)];
    expect(a).toMatchObject({ name: "ann", timekeeper: { node: "ann", own: true } });
    expect(b).toMatchObject({ name: "bob", timekeeper: { node: "ann", own: false } });
    expect(b.log!.kind).toBe(LogKind.SHARED);
    for (const { sessions } of [a, b]) {
      const silence = new Map(sessions.map((each) => [each.node, durationMs(each.silence!)]));
      expect(silence.get("ann/time")).toBeLessThanOrEqual(TICK_IDLE_MS);
      expect(silence.get("bob")).toBeGreaterThan(2_000);
      expect(silence.get("bob")).toBeLessThan(4_000);
    }
  });

  it("are known by their open sessions only: a node that came again has one, under its last id", async () => {
    const store = new MemoryStore();
    for (let n = 0; n < 3; n++) await passing((await passing(openWorld({ node: "ann", store }))).close());
    const world = await passing(openWorld({ node: "ann", store }));
    await makeQueue(world, "q");
    const opened = recordsOf(store).filter(
      ({ event }) => event.kind === "session_opened" && event.node === "ann",
    );
    const { sessions } = await nodeOf(world);
    expect(sessions.filter(({ node }) => node === "ann").map(({ id }) => id)).toEqual([
      opened.at(-1)!.session,
    ]);
  });

  it("a session that no record tells of is not shown", async () => {
    const world = await openWorld();
    world.log.inject({ key: "", value: envelope({ session: 99n }) });
    await turns();
    expect((await nodeOf(world)).sessions.map(({ id }) => id)).not.toContain(99n);
  });
});
