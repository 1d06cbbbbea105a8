// Watching a place: at once, then whatever is worth telling, and its end for certain.

import { create } from "@bufbuild/protobuf";
import { StoredRequestSchema } from "@usher/protocol/payload";
import type { Change } from "@usher/queue";
import { LogError } from "@usher/ticket-log";
import { describe, expect, it, vi } from "vitest";
import { pick, random } from "../../../test/support/random.ts";
import { type Place, SILENCE_MS } from "../src/index.ts";
import { Places, WATCHERS_MAX } from "../src/places.ts";
import { pass, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, makeQueue, openWorld, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

/** Watches a ticket, and keeps what it is told. */
class Watch {
  readonly told: string[] = [];
  over = false;
  error: unknown;
  readonly #stop = new AbortController();

  constructor(world: World, place: Place) {
    this.#run(world, place);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(world: World, place: Place): Promise<void> {
    try {
      for await (const { view } of world.replica.desk.watch(place, this.#stop.signal))
        this.told.push(words(view));
    } catch (error) {
      this.error = error;
    }
    this.over = true;
  }
}

function placeOf(result: IteratorResult<Place, void>): Place {
  if (result.done) throw new Error("the stream is over");
  return result.value;
}

/** "waiting 3", "admitted 0", "left". */
function words({ state, position, request }: Place["view"]): string {
  return [state, request, position].filter((word) => word !== undefined).join(" ");
}

describe("whoever watches a ticket", () => {
  it("is told where it stands at once, and when it moves up, is admitted and ends; then no more", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const [first, second, third] = [
      await issue(world, "q"),
      await issue(world, "q"),
      await issue(world, "q"),
    ];
    const watch = new Watch(world, third);
    await turns();
    expect(watch.told).toEqual(["waiting 2"]);

    // That others moved is looked at in rounds.
    await world.replica.desk.complete(first);
    await turns();
    expect(watch.told).toEqual(["waiting 2"]);
    await pass(200);
    expect(watch.told).toEqual(["waiting 2", "waiting 1"]);

    // What happens to the ticket itself, at once.
    await world.replica.desk.complete(second);
    await turns();
    expect(watch.told).toEqual(["waiting 2", "waiting 1", "admitted 0"]);
    await world.replica.desk.complete(third);
    await turns();
    expect(watch.told.at(-1)).toBe("completed");
    expect(watch).toMatchObject({ over: true, error: undefined });
    expect(world.replica.places.watchers).toBe(0);
  });

  it("of a ticket that has ended is told so, and that is all", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const place = await issue(world, "q");
    await world.replica.desk.leave(place);
    const watch = new Watch(world, place);
    await turns();
    expect(watch).toMatchObject({ told: ["left"], over: true });
  });

  it("is told of a request's way to its end, which may be that nobody knows", async () => {
    const world = await openWorld();
    await makeQueue(world, "q", { kind: "defer", attempts: 1 });
    const request = create(StoredRequestSchema, { method: "POST", target: "/" });
    const place = await issue(world, "q", { store: { request } });
    const watch = new Watch(world, place);
    const its = { queue: "q", number: place.view.number, attempt: 1 };
    await world.replica.append({ kind: "dispatch_claimed", ...its, timeout_ms: 1_000, idempotent: false });
    await turns();
    await world.replica.append({ kind: "claim_released", ...its, not_before_ms: 0, reason: "lost" });
    await turns();
    expect(watch).toMatchObject({
      told: ["admitted stored 0", "admitted sending 0", "completed unknown"],
      over: true,
    });
    await world.replica.append({ kind: "request_answered", ...its, status: 200 });
    await turns();
    const after = new Watch(world, place);
    await turns();
    expect(after).toMatchObject({ told: ["completed answered"], over: true });
  });

  it("is told again when nothing happens, so that the stream is never silent for long", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    await issue(world, "q");
    const watch = new Watch(world, await issue(world, "q"));
    await pass(3 * SILENCE_MS + 1_000);
    expect(watch.told).toEqual(Array(4).fill("waiting 1"));
  });

  it("is told again when an operator changes the queue, at once, and nobody of another queue is", async () => {
    const world = await openWorld();
    for (const name of ["q", "other"]) await makeQueue(world, name, { mode: "paused" });
    const [one, two, other] = [await issue(world, "q"), await issue(world, "q"), await issue(world, "other")];
    const watches = [one, two, other].map((place) => new Watch(world, place));
    await turns();
    const before = watches.map(({ told }) => told.length);
    const settings = { ...one.queue.settings, notice: "Back at ten." };
    await world.replica.configure("q", settings, { revision: 2, reason: "a test" });
    await turns();
    expect(watches.map(({ told }, at) => told.length - (before[at] ?? 0))).toEqual([1, 1, 0]);
    expect(world.replica.desk.status(world.replica.desk.again(one)).notice).toBe("Back at ten.");
  });

  it("far from the front is told of every hundredth of its way, and nearer, of every step", async () => {
    const world = await openWorld();
    await makeQueue(world, "q", { max_active: 1_000 });
    await world.replica.configure(
      "q",
      { ...world.replica.fold.queue("q")!.settings, mode: "paused" },
      {
        revision: 2,
        reason: "",
      },
    );
    await Promise.all(Array.from({ length: 400 }, () => issue(world, "q")));
    const watch = new Watch(world, await issue(world, "q"));
    await turns();
    for (let n = 0; n < 380; n++) {
      const request_id = n.toString(16).padStart(32, "0");
      await world.replica.append({ kind: "admit_requested", queue: "q", request_id, who: { count: 1 } });
      await pass(200);
    }
    const positions = watch.told.map((told) => Number(told.split(" ")[1]));
    expect(positions[0]).toBe(401);
    expect(positions.at(-1)).toBe(21);
    const steps = positions
      .slice(1)
      .map((position, n) => ({ from: positions[n]!, by: positions[n]! - position }));
    for (const { from, by } of steps) {
      if (from <= 100) expect(by).toBe(1);
      else expect(by).toBeGreaterThanOrEqual(Math.min(from * 0.01, from - 100));
    }
    expect(steps.filter(({ from }) => from > 100).length).toBeLessThan(150);
  });

  it("ends when it hangs up, at once and for good", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const watches = [await issue(world, "q"), await issue(world, "q")].map(
      (place) => new Watch(world, place),
    );
    await turns();
    expect(world.replica.places.watchers).toBe(2);
    for (const watch of watches) watch.stop();
    await turns();
    expect(watches).toMatchObject([{ over: true }, { over: true }]);
    expect(world.replica.places.watchers).toBe(0);
  });

  it("ends when the node shuts down", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const watch = new Watch(world, await issue(world, "q"));
    await turns();
    world.replica.drain();
    await turns();
    expect(watch).toMatchObject({ over: true, error: undefined });
  });

  it("goes on watching, and sees the last that was known, when the log can be read no further", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    await issue(world, "q");
    const place = await issue(world, "q");
    const before = new Watch(world, place);
    await turns();
    world.log.failFollowers(new LogError("corrupt", "a gap"));
    await turns();
    expect(world.replica.stale).toBe(true);
    expect(before.told).toEqual(["waiting 1", "waiting 1"]);
    const after = new Watch(world, place);
    await turns();
    expect(after.told).toEqual(["waiting 1"]);
    await pass(SILENCE_MS);
    expect([before.told.length, after.told.length]).toEqual([3, 2]);
    expect(world.replica.desk.status(place).stale).toBe(true);
    expect([before.over, after.over]).toEqual([false, false]);
  });

  it("is told that there is no such ticket, when it was forgotten while nobody listened", async () => {
    const world = await openWorld();
    await makeQueue(world, "q", { key_retention_ms: 1_000 });
    const place = await issue(world, "q");
    const stream = world.replica.desk.watch(place, new AbortController().signal);
    expect(placeOf(await stream.next()).view.state).toBe("admitted");
    await world.replica.desk.leave(place);
    await pass(3_000);
    await expect(stream.next()).rejects.toMatchObject({ reason: "TICKET_NOT_FOUND" });
    expect(world.replica.places.watchers).toBe(0);
  });
});

describe("watchers that are slow", () => {
  it("find what is true when they ask, and nothing of what lay between", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const first = await issue(world, "q");
    const others = await Promise.all(Array.from({ length: 20 }, () => issue(world, "q")));
    const stream = world.replica.desk.watch(others[19]!, new AbortController().signal);
    expect(placeOf(await stream.next()).view.position).toBe(20);
    await world.replica.desk.complete(first);
    for (const place of others.slice(0, 10)) {
      await world.replica.desk.complete(place);
      await pass(250);
    }
    expect(placeOf(await stream.next()).view.position).toBe(9);
    const next = stream.next();
    await pass(1_000);
    let told = false;
    next.then(() => {
      told = true;
    });
    await turns();
    expect(told).toBe(false);
    await world.replica.desk.leave(others[19]!);
    expect(placeOf(await next).view.state).toBe("left");
    expect((await stream.next()).done).toBe(true);
  });

  it("never miss the end, however their asking falls between what happens", async () => {
    const next = random(7);
    const world = await openWorld();
    await makeQueue(world, "q", { max_active: 3 });
    for (let round = 0; round < 60; round++) {
      const places = await Promise.all(Array.from({ length: 6 }, () => issue(world, "q")));
      const ends = places.map(async (place) => {
        let last = "";
        let count = 0;
        for await (const { view } of world.replica.desk.watch(place, new AbortController().signal)) {
          last = view.state;
          count++;
          await turns(pick(next, 6));
        }
        return { last, count };
      });
      for (const place of places) {
        await turns(pick(next, 5));
        if (pick(next, 3) === 0) await pass(10 * pick(next, 30));
        if (pick(next, 2) === 0) await world.replica.desk.leave(place);
        else await world.replica.desk.complete(place).catch(() => world.replica.desk.leave(place));
      }
      for (const { last, count } of await Promise.all(ends)) {
        expect(["left", "completed"]).toContain(last);
        expect(count).toBeLessThanOrEqual(12);
      }
    }
    expect(world.replica.places.watchers).toBe(0);
  });
});

describe("the watchers of a node", () => {
  it(`are ${WATCHERS_MAX} at most; one more is refused, and let in when another has gone`, async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const place = await issue(world, "q");
    const stop = new AbortController();
    const streams = Array.from({ length: WATCHERS_MAX }, () => world.replica.desk.watch(place, stop.signal));
    await Promise.all(streams.map((stream) => stream.next()));
    expect(world.replica.places.full).toBe(true);
    const another = () => world.replica.desk.watch(place, stop.signal).next();
    await expect(another()).rejects.toMatchObject({ reason: "OVERLOADED" });
    await streams[0]!.return(undefined);
    expect((await another()).done).toBe(false);
    stop.abort();
    await Promise.all(streams.map((stream) => stream.next()));
    expect(world.replica.places.watchers).toBe(1);
  });

  it("leave nothing behind: no entry, no timer", async () => {
    const fold = { queue: () => undefined };
    const places = new Places(fold as never);
    const stop = new AbortController();
    const streams = Array.from({ length: 100 }, (_, n) => places.watch(`q${n % 7}`, n, stop.signal));
    for (const stream of streams) await stream.next();
    const waits = streams.map((stream) => stream.next());
    places.batch([{ kind: "ended", queue: "q0", number: 0 } satisfies Change]);
    expect(vi.getTimerCount()).toBeGreaterThan(100 - 2);
    stop.abort();
    await Promise.all(waits);
    places.close();
    expect(places.watchers).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
