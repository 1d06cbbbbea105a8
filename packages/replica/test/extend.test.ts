// The sessions of those who were let in: how long they have, and more of it while they are there.

import { MemoryStore, openMemoryLog } from "@usher/ticket-log";
import { describe, expect, it, vi } from "vitest";
import { planted } from "../../../test/support/planted.ts";
import { KEYS } from "./support/keys.ts";
import { pass, passing, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, kinds, makeQueue, openWorld, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

const SECOND = 1_000;
const GRACE_MS = 30 * SECOND;

function extensions({ store }: World): number {
  return kinds(store).filter((kind) => kind === "session_extended").length;
}

async function admitted(settings = {}): Promise<{ world: World; place: Awaited<ReturnType<typeof issue>> }> {
  const world = await openWorld();
  await makeQueue(world, "q", { session_ms: 60 * SECOND, ...settings });
  return { world, place: await issue(world, "q") };
}

describe("a session", () => {
  it("is told to be as long as the queue says, and shortens as time passes", async () => {
    const { world, place } = await admitted();
    const { desk } = world.replica;
    expect(place.view.session).toMatchObject({ extensions: 0, length_ms: 60 * SECOND });
    expect(place.view.session?.started_ms).toBe(place.view.admittedWall_ms);
    expect(desk.sessionLeft_ms(place)).toBe(60 * SECOND);
    const before_ms = world.replica.fold.now_ms;
    await pass(20 * SECOND);
    expect(desk.sessionLeft_ms(place)).toBe(60 * SECOND - (world.replica.fold.now_ms - before_ms));
  });

  it("that is extended begins anew, and its slot is freed by that, once", async () => {
    const { world, place } = await admitted();
    const { desk, fold } = world.replica;
    await pass(40 * SECOND);
    const extended = await passing(desk.extend(place));
    expect(extended.view.session).toMatchObject({ extensions: 1, ends_ms: fold.now_ms + 60 * SECOND });
    expect(extended.view.session!.started_ms).toBeGreaterThan(place.view.session!.started_ms + 30 * SECOND);
    const next = await issue(world, "q");
    await pass(60 * SECOND);
    expect(desk.again(next).view.position).toBe(1);
    await pass(GRACE_MS);
    expect(desk.again(place).view.state).toBe("expired");
    expect(desk.again(next).view.position).toBe(0);
    expect(world.replica.fold.queue("q")?.active).toBe(1);
  });

  it("that a hundred requests extend at once is extended by one record", async () => {
    const { world, place } = await admitted();
    await pass(40 * SECOND);
    const all = await passing(
      Promise.all(Array.from({ length: 100 }, () => world.replica.desk.extend(place))),
    );
    expect(new Set(all.map(({ view }) => view.session?.extensions))).toEqual(new Set([1]));
    expect(extensions(world)).toBe(1);
  });

  it("that would not end later is extended without a record", async () => {
    const { world, place } = await admitted();
    await world.replica.desk.extend(place);
    expect(extensions(world)).toBe(0);
  });

  it("whose pass is over by the wall clock is given another, and ends no sooner, where sessions are shorter by now", async () => {
    const { world, place } = await admitted();
    const { desk, fold } = world.replica;
    const { ends_ms } = place.view.session!;
    await world.replica.configure(
      "q",
      { ...place.queue.settings, session_ms: 4 * SECOND },
      { revision: 2, reason: "" },
    );
    // Time on the wall passes, and that of the log stands still.
    vi.setSystemTime(Date.now() + 50 * SECOND);
    const [one, other] = await passing(Promise.all([desk.extend(place), desk.extend(place)]));
    expect(one.view.session).toEqual({
      ...{ started_ms: Date.now(), length_ms: 4 * SECOND, extensions: 1, ends_ms },
    });
    expect(other.view.session).toEqual(one.view.session);
    await desk.extend(place);
    expect(extensions(world)).toBe(1);
    const before_ms = fold.now_ms;
    await pass(3 * SECOND);
    expect((await passing(desk.extend(place))).view.session).toMatchObject({ extensions: 2, ends_ms });
    await pass(ends_ms + GRACE_MS - fold.now_ms + SECOND);
    expect(fold.now_ms).toBeGreaterThan(before_ms);
    expect(desk.again(place).view.state).toBe("expired");
  });

  it("may be extended again after an extension whose record was refused", async () => {
    let refused = false;
    const world = await openWorld({ fate: () => (refused ? "refused" : "written") });
    await makeQueue(world, "q", { session_ms: 60 * SECOND });
    const place = await issue(world, "q");
    await pass(40 * SECOND);
    refused = true;
    await expect(passing(world.replica.desk.extend(place))).rejects.toMatchObject({ outcome: "refused" });
    refused = false;
    await pass(2 * SECOND);
    const { view } = await passing(world.replica.desk.extend(place));
    expect(view.session?.extensions).toBe(1);
  });

  it("is there only while its ticket is admitted and carries no stored request", async () => {
    const { world, place } = await admitted();
    const { desk } = world.replica;
    const waits = await issue(world, "q");
    expect(desk.sessionLeft_ms(waits)).toBeUndefined();
    await expect(desk.extend(waits)).rejects.toMatchObject({ reason: "NOT_ADMITTED" });
    await desk.complete(place);
    expect(desk.sessionLeft_ms(place)).toBeUndefined();
    await expect(desk.extend(place)).rejects.toMatchObject({ reason: "NOT_ADMITTED" });
    expect(desk.sessionLeft_ms(waits)).toBe(60 * SECOND);
  });

  it("that is extended halts a node of the build before, which would free the slot too early", async () => {
    const former = await planted<typeof import("../src/index.ts")>("packages/replica", {
      file: "log/codec.ts",
      find: "export const FORMAT_LEVEL = 4;",
      replace: "export const FORMAT_LEVEL = 2;",
    });
    const store = new MemoryStore({ shared: true });
    const world = await openWorld({ store, node: "a" });
    await makeQueue(world, "q", { session_ms: 60 * SECOND });
    const place = await issue(world, "q");
    const log = openMemoryLog({ store });
    const faults: Error[] = [];
    const onFault = (error: Error) => faults.push(error);
    const old = await passing(former.Replica.open({ log, keys: KEYS, node: "b", onFault }));
    await pass(40 * SECOND);
    expect(old).toMatchObject({ ready: true, halted: undefined });
    await passing(world.replica.desk.extend(place));
    await turns();
    expect(old.ready).toBe(false);
    expect(old.halted?.message).toMatch(/format level 3.*newer Usher/);
    expect(faults).toEqual([old.halted]);
    expect(world.replica.ready).toBe(true);
    await passing(old.close());
    await log.close();
  });

  it("that one node extends is extended on the other", async () => {
    const store = new MemoryStore({ shared: true });
    const [a, b] = await Promise.all([openWorld({ store, node: "a" }), openWorld({ store, node: "b" })]);
    await pass(SECOND);
    await makeQueue(a, "q", { session_ms: 60 * SECOND });
    const place = await issue(a, "q");
    await pass(40 * SECOND);
    const there = await b.replica.desk.held(place.token);
    await passing(b.replica.desk.extend(there));
    await turns();
    expect(a.replica.desk.again(place).view.session).toEqual(b.replica.desk.again(there).view.session);
    expect(a.replica.desk.again(place).view.session?.extensions).toBe(1);
  });
});
