// Those who have seen more elsewhere than this node has read.

import { describe, expect, it, vi } from "vitest";
import { BEHIND_MAX, BEHIND_WAIT_MS } from "../src/behind.ts";
import { pass, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, makeQueue, openWorld } from "./support/world.ts";

stopClocks();
closeWorlds();

describe("whoever has seen more than this node has read", () => {
  it("waits until it has, and no longer", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    await turns();
    const told: [number, boolean][] = [];
    const { asOf } = world.replica;
    for (const ahead of [0, 1, 3])
      void world.replica.caughtUp(asOf + ahead).then((is) => told.push([ahead, is]));
    await turns();
    expect(told).toEqual([[0, true]]);
    await issue(world, "q");
    await turns();
    expect(told).toEqual([
      [0, true],
      [1, true],
    ]);
    await Promise.all([issue(world, "q"), issue(world, "q")]);
    await turns();
    expect(told).toEqual([
      [0, true],
      [1, true],
      [3, true],
    ]);
  });

  it("is told after a second that it has not, and leaves nothing behind", async () => {
    const world = await openWorld();
    await turns();
    const timers = vi.getTimerCount();
    const waits = Promise.all(
      [1e6, 2e6, Number.MAX_SAFE_INTEGER].map((asOf) => world.replica.caughtUp(asOf)),
    );
    expect(vi.getTimerCount()).toBe(timers + 3);
    await pass(BEHIND_WAIT_MS);
    expect(await waits).toEqual([false, false, false]);
    expect(vi.getTimerCount()).toBe(timers);
  });

  it(`is one of ${BEHIND_MAX} at most; the next is told at once`, async () => {
    const world = await openWorld();
    const waits = Array.from({ length: BEHIND_MAX }, () => world.replica.caughtUp(1e6));
    expect(await world.replica.caughtUp(1e6)).toBe(false);
    await pass(BEHIND_WAIT_MS);
    expect((await Promise.all(waits)).every((is) => !is)).toBe(true);
    const next = world.replica.caughtUp(world.replica.asOf + 1);
    await pass(500);
    expect(await next).toBe(true);
  });

  it("is told at once when nothing more will be read", async () => {
    const world = await openWorld();
    const wait = world.replica.caughtUp(1e6);
    await world.close();
    expect(await wait).toBe(false);
    expect(await world.replica.caughtUp(1e6)).toBe(false);
    expect(await world.replica.caughtUp(0)).toBe(true);
  });
});
