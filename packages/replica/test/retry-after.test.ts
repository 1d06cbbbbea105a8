// When those who poll are told to come back: the near soon, the far seldom, and never all at once.

import { describe, expect, it } from "vitest";
import { encodeRecord, type Place } from "../src/index.ts";
import { STALE_MS } from "../src/replica.ts";
import { pass, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, makeQueue, openWorld, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

const SECOND = 1_000;
const HOLDERS = 3_000;

/** A line of so many, of whom ten a second are admitted; seconds in. */
async function line(count: number, settings = {}): Promise<{ world: World; places: Place[] }> {
  const world = await openWorld();
  await makeQueue(world, "q", { rate_thousandths: 10_000, max_active: 0, ...settings });
  const places: Place[] = await Promise.all(Array.from({ length: count }, () => issue(world, "q")));
  await pass(3 * SECOND);
  return { world, places: places.map((place) => world.replica.desk.again(place)) };
}

const waiting = ({ view }: Place): boolean => view.state === "waiting";

describe("whoever asks after a place is told to come back", () => {
  it("soon near the front, and seldom far from it", async () => {
    const { world, places } = await line(HOLDERS);
    const { desk } = world.replica;
    const told = (place: Place) => desk.retryAfter_ms(place)!;
    const line_ = places.filter(waiting);
    for (const place of line_.slice(0, 50)) expect(told(place)).toBeLessThanOrEqual(2 * SECOND);
    for (const place of line_.slice(-500)) expect(told(place)).toBeGreaterThanOrEqual(20 * SECOND);
    for (const place of line_) {
      expect(told(place)).toBeGreaterThanOrEqual(SECOND);
      expect(told(place)).toBeLessThanOrEqual(30 * SECOND);
      expect(told(place) % SECOND).toBe(0);
    }
  });

  it("apart: of thousands who ask at one moment, no second of their return has more than its share", async () => {
    const { world, places } = await line(HOLDERS);
    const { desk } = world.replica;
    // As far from the front, so that nothing but the spread tells them apart.
    const far = places.filter(waiting).slice(-1_000);
    const counts = new Map<number, number>();
    for (const place of far) {
      const back_s = desk.retryAfter_ms(place)! / SECOND;
      counts.set(back_s, (counts.get(back_s) ?? 0) + 1);
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, at) => 20 + at));
    for (const [second, count] of counts) expect(count, `${second} s`).toBeLessThan(150);
  });

  it("at another time for another moment, and at the same for the same", async () => {
    const { world, places } = await line(HOLDERS);
    const { desk } = world.replica;
    const last = places.at(-1)!;
    expect(desk.retryAfter_ms(last)).toBe(desk.retryAfter_ms(last));
    const told = new Set<number | undefined>();
    for (let n = 0; n < 20; n++) {
      await pass(50);
      told.add(desk.retryAfter_ms(last));
    }
    expect(told.size).toBeGreaterThan(3);
  });

  it("by the limit, where nothing was measured: people take a session each, requests a second", async () => {
    const world = await openWorld();
    const { desk } = world.replica;
    await makeQueue(world, "people", { max_active: 1, session_ms: 600 * SECOND });
    await makeQueue(world, "requests", { kind: "defer", max_active: 1 });
    await Promise.all(["people", "requests"].map((queue) => issue(world, queue)));
    const [people, requests] = await Promise.all(["people", "requests"].map((queue) => issue(world, queue)));
    expect(people!.queue.wait(1)).toBeUndefined();
    expect(desk.retryAfter_ms(people!)).toBeGreaterThanOrEqual(20 * SECOND);
    expect(desk.retryAfter_ms(requests!)).toBeLessThanOrEqual(2 * SECOND);
  });

  it("in a second once admitted, and never after the end", async () => {
    const { world, places } = await line(20);
    const { desk } = world.replica;
    expect(desk.retryAfter_ms(places[0]!)).toBe(SECOND);
    expect(desk.retryAfter_ms(await desk.leave(places[0]!))).toBeUndefined();
  });
});

describe("where nobody can tell how the queue goes on, no wait is told, and the nearest come back less often:", () => {
  const toldOf = ({ replica: { desk } }: World, place: Place) => {
    const { ticket, retryAfter } = desk.status(desk.again(place));
    return { wait: ticket?.waitP50, retry_s: Number(retryAfter?.seconds) };
  };

  it("while it is paused", async () => {
    const { world, places } = await line(200);
    const next = places.find(waiting)!;
    expect(toldOf(world, next)).toMatchObject({ wait: expect.anything() });
    const { queue } = next;
    const { settings, revision } = queue;
    await world.replica.configure(
      "q",
      { ...settings, mode: "paused" },
      { revision: revision + 1, reason: "" },
    );
    const told = toldOf(world, next);
    expect(told.wait).toBeUndefined();
    expect(told.retry_s).toBeGreaterThanOrEqual(5);
    expect(world.replica.desk.newcomerWait_ms(queue)).toBeUndefined();
  });

  it("while the log is not read", async () => {
    const { world, places } = await line(200);
    const next = places.at(-1)!;
    expect(world.replica.desk.newcomerWait_ms(next.queue)).toBeGreaterThan(10 * SECOND);
    world.log.cut();
    await pass(STALE_MS + 2 * SECOND);
    const told = toldOf(world, next);
    expect(told.wait).toBeUndefined();
    expect(told.retry_s).toBeGreaterThanOrEqual(5);
    expect(world.replica.desk.newcomerWait_ms(next.queue)).toBeUndefined();
  });

  it("while nobody keeps time", async () => {
    const { world, places } = await line(200);
    const { fold } = world.replica;
    const event = { kind: "session_opened", former: fold.timekeeper!, node: "node/time" } as const;
    world.log.inject({ key: "", value: encodeRecord({ session: 99n, sequence: 1, wall_ms: 0, event }) });
    await turns();
    expect(world.replica.timekeeper).toBeUndefined();
    const told = toldOf(world, places.at(-1)!);
    expect(told.wait).toBeUndefined();
    expect(told.retry_s).toBeGreaterThanOrEqual(5);
  });
});
