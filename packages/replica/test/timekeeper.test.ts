// Log time: who keeps it, at what pace, and that no moment counts twice.

import { create } from "@bufbuild/protobuf";
import { StoredRequestSchema } from "@usher/protocol/payload";
import type { LogRecord } from "@usher/queue";
import type { Fate } from "@usher/ticket-log";
import { describe, expect, it } from "vitest";
import { pick, random } from "../../../test/support/random.ts";
import type { Clock } from "../src/clock.ts";
import { encodeRecord } from "../src/log/codec.ts";
import { TICK_BUSY_MS, TICK_IDLE_MS } from "../src/timekeeper.ts";
import { pass, stopClocks, turns } from "./support/time.ts";
import {
  closeWorlds,
  issue,
  kindOf,
  kinds,
  makeQueue,
  openWorld,
  recordsOf,
  type World,
} from "./support/world.ts";

stopClocks();
closeWorlds();

interface Tick {
  readonly wall_ms: number;
  readonly term: number;
  readonly elapsed_ms: number;
}

function ticks({ store }: World): Tick[] {
  return recordsOf(store).flatMap(({ wall_ms, event }) =>
    event.kind === "tick" ? [{ wall_ms, ...event }] : [],
  );
}

/** How far apart the ticks after the first `from` were written, in ms. */
function pauses(world: World, from: number): number[] {
  const all = ticks(world).slice(from);
  return all.slice(1).map(({ wall_ms }, n) => wall_ms - all[n]!.wall_ms);
}

/** A replica whose ticks have fates; the last one stays. */
async function worldWithTicks(...fates: Fate[]): Promise<World & { asked: () => number }> {
  let asked = 0;
  const world = await openWorld({
    fate: (entry) => {
      if (kindOf(entry) !== "tick") return "written";
      return fates[Math.min(asked++, fates.length - 1)] ?? "written";
    },
  });
  return { ...world, asked: () => asked };
}

describe("the timekeeper", () => {
  it("opens a term at once, and its first tick begins the measuring with nothing", async () => {
    const world = await openWorld();
    await turns();
    expect(kinds(world.store)).toEqual([
      "genesis",
      "session_opened",
      "session_opened",
      "term_opened",
      "tick",
    ]);
    expect(ticks(world)).toEqual([{ wall_ms: expect.any(Number), kind: "tick", term: 1, elapsed_ms: 0 }]);
    expect(world.replica.fold).toMatchObject({ term: 1, now_ms: 0 });
  });

  it("carries the whole milliseconds of its own clock, and the remainder over to the next tick", async () => {
    const clock: Clock = {
      monotonic_ms: () => 17.25 + performance.now() * 1.1015625,
      wall_ms: () => Date.now(),
    };
    const world = await openWorld({ clock });
    await makeQueue(world, "q");
    await Promise.all([issue(world, "q"), issue(world, "q")]);
    await pass(5_000);
    const [first, ...later] = ticks(world);
    let sum_ms = 0;
    for (const { wall_ms, elapsed_ms } of later) {
      sum_ms += elapsed_ms;
      expect(sum_ms).toBe(Math.floor((wall_ms - first!.wall_ms) * 1.1015625));
    }
    expect(sum_ms).toBeGreaterThan(5_400);
    expect(world.replica.fold.now_ms).toBe(sum_ms);
  });

  it("ticks slowly while nobody waits, quickly from the moment that somebody does, and slowly again", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    await pass(2_000);
    expect(new Set(pauses(world, 0))).toEqual(new Set([TICK_IDLE_MS]));

    const idle = ticks(world).length;
    await pass(100);
    const [first, second] = [await issue(world, "q"), await issue(world, "q")];
    await turns();
    // Not when the pause is over, but now.
    expect(ticks(world)).toHaveLength(idle + 1);
    await pass(1_000);
    expect(new Set(pauses(world, idle))).toEqual(new Set([TICK_BUSY_MS]));

    await world.replica.desk.leave(first);
    await world.replica.desk.leave(second);
    await pass(TICK_BUSY_MS);
    const busy = ticks(world).length;
    await pass(2_000);
    expect(new Set(pauses(world, busy - 1))).toEqual(new Set([TICK_IDLE_MS]));
  });

  it("ticks quickly while a stored request is unanswered, and slowly while admitted people are about", async () => {
    const request = create(StoredRequestSchema, { method: "GET", target: "/" });
    for (const [store, pause_ms] of [
      [{ request }, TICK_BUSY_MS],
      [undefined, TICK_IDLE_MS],
    ] as const) {
      const world = await openWorld();
      await makeQueue(world, "q", { kind: "defer" });
      await issue(world, "q", { store });
      expect(world.replica.fold.queue("q")).toMatchObject({ waiting: 0, active: 1 });
      await pass(TICK_IDLE_MS);
      const from = ticks(world).length;
      await pass(2_000);
      expect(new Set(pauses(world, from))).toEqual(new Set([pause_ms]));
    }
  });

  it("has one tick on its way at a time", async () => {
    const world = await worldWithTicks("written", "stuck");
    await makeQueue(world, "q");
    await Promise.all([issue(world, "q"), issue(world, "q")]);
    await pass(9_000);
    expect(world.asked()).toBe(2);
    await pass(3_000);
    expect(world.asked()).toBe(3);
    expect(world.faults).toMatchObject([{ outcome: "unknown" }]);
  });

  it("gives its term back when it stops, as the last that is written", async () => {
    const world = await openWorld();
    await pass(1_000);
    await world.close();
    expect(kinds(world.store).at(-1)).toBe("term_closed");
    expect(world.replica.fold.timekeeper).toBeUndefined();
  });

  it("lets a process that was stopped for an hour count a second of it", async () => {
    let stopped_ms = 0;
    const clock: Clock = { monotonic_ms: () => performance.now() + stopped_ms, wall_ms: () => Date.now() };
    const world = await openWorld({ clock });
    await pass(2_000);
    const before_ms = world.replica.fold.now_ms;
    stopped_ms = 60 * 60_000;
    await pass(TICK_IDLE_MS);
    expect(world.replica.fold.now_ms - before_ms).toBe(1_000);
  });

  it("stands again when another took its term, in a term of its own that begins with nothing", async () => {
    const world = await openWorld();
    await pass(1_000);
    const before_ms = world.replica.fold.now_ms;
    const other = { session: 5n, wall_ms: 0 };
    const written: LogRecord[] = [
      { ...other, sequence: 1, event: { kind: "session_opened", former: 0n, node: "other" } },
      { ...other, sequence: 2, event: { kind: "term_opened", term: 2 } },
    ];
    for (const record of written) world.log.inject({ key: "", value: encodeRecord(record) });
    await turns();
    expect(world.replica.fold.timekeeper).toBe(5n);
    await pass(TICK_IDLE_MS);
    expect(world.replica.fold.term).toBe(3);
    expect(world.replica.fold.now_ms).toBe(before_ms);
    await pass(1_000);
    expect(world.replica.fold.now_ms).toBe(before_ms + 1_000);
    expect(world.faults).toEqual([]);
  });
});

describe("a tick that fails", () => {
  it("is told and tried again, and the time that it carried is not carried again", async () => {
    const world = await worldWithTicks("written", "refused", "refused", "written");
    await pass(500);
    expect(world.faults).toMatchObject([{ name: "LogError", outcome: "refused" }]);
    await pass(500);
    expect(world.faults).toHaveLength(2);
    await pass(500);
    expect(world.faults).toHaveLength(2);
    expect(ticks(world).map(({ elapsed_ms }) => elapsed_ms)).toEqual([0, 500]);
    expect(world.replica.fold).toMatchObject({ term: 1, now_ms: 500 });
  });

  it("whose outcome is unknown costs the session, and a new term begins with nothing", async () => {
    const world = await worldWithTicks("written", "lost", "written");
    await pass(500);
    await turns();
    expect(world.faults).toMatchObject([{ outcome: "refused" }]);
    await pass(500);
    expect(kinds(world.store).slice(-3)).toEqual(["session_opened", "term_opened", "tick"]);
    expect(world.replica.fold).toMatchObject({ term: 2, now_ms: 0 });
  });

  it.each([1, 2, 3, 4, 5, 6])(
    "never makes a moment count twice, whatever becomes of it (seed %i)",
    async (seed) => {
      const next = random(seed);
      const fates: Fate[] = ["refused", "lost", "unacknowledged", "twice"];
      let faulty = false;
      const world = await openWorld({
        fate: () => {
          if (!faulty || pick(next, 4) > 0) return "written";
          return fates[pick(next, fates.length + 1)] ?? { late: pick(next, 5) };
        },
      });
      faulty = true;
      const began_ms = performance.now();
      for (let round = 0; round < 40; round++) {
        await pass(100 * (1 + pick(next, 10)));
        expect(world.replica.fold.now_ms).toBeLessThanOrEqual(performance.now() - began_ms);
      }
      expect(world.replica.fold.now_ms).toBeGreaterThan(0);
      expect(world.faults.length).toBeGreaterThan(0);
    },
  );
});
