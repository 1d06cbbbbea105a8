// The pull consumer: every admission, in order, at least once, and signs of life between.

import { create } from "@bufbuild/protobuf";
import { StoredRequestSchema } from "@usher/protocol/payload";
import { describe, expect, it } from "vitest";
import { pick, random } from "../../../test/support/random.ts";
import { ADMISSION_STREAMS_MAX } from "../src/admissions.ts";
import { SILENCE_MS } from "../src/index.ts";
import { pass, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, makeQueue, openWorld, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

const store = { request: create(StoredRequestSchema, { method: "GET", target: "/" }) };

/** Follows a queue's admissions, and keeps what it is told. */
class Consumer {
  /** Numbers of tickets, and "alive" for a sign of life. */
  readonly told: (number | "alive")[] = [];
  cursor: number;
  over = false;
  readonly #stop = new AbortController();

  constructor(world: World, cursor = 0, work: () => Promise<void> = async () => {}) {
    this.cursor = cursor;
    this.#run(world, work);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(world: World, work: () => Promise<void>): Promise<void> {
    const queue = world.replica.desk.queue("q");
    for await (const view of world.replica.admissions.watch(queue, this.cursor, this.#stop.signal)) {
      this.told.push(view?.number ?? "alive");
      if (view === undefined) continue;
      expect(view.admission).toBeGreaterThan(this.cursor);
      this.cursor = view.admission!;
      await work();
    }
    this.over = true;
  }
}

function numbers({ told }: Consumer): number[] {
  return told.filter((one) => one !== "alive");
}

describe("a consumer of admissions", () => {
  it("shows a sign of life at once where nobody was admitted, so that its stream is open", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const consumer = new Consumer(world);
    await turns();
    expect(consumer.told).toEqual(["alive"]);
    await pass(2 * SILENCE_MS + 1_000);
    expect(consumer.told).toEqual(["alive", "alive", "alive"]);
  });

  it("is told of who is active already, and of those who come, in the order of admission", async () => {
    const world = await openWorld();
    await makeQueue(world, "q", { max_active: 3 });
    const places = await Promise.all(Array.from({ length: 8 }, () => issue(world, "q")));
    const consumer = new Consumer(world);
    await turns();
    expect(consumer.told).toEqual([1, 2, 3]);
    const admit = { kind: "admit_requested", queue: "q", request_id: "0".repeat(32) } as const;
    await world.replica.desk.complete(places[0]!);
    await world.replica.desk.complete(places[1]!);
    await turns();
    expect(consumer.told).toEqual([1, 2, 3, 4, 5]);
    // Number 8 before its turn: as soon as there is room, nobody else waits for a place.
    await world.replica.append({ ...admit, who: { number: 8 } });
    await world.replica.desk.leave(places[5]!);
    await world.replica.desk.complete(places[2]!);
    await turns();
    expect(consumer.told).toEqual([1, 2, 3, 4, 5, 7]);
    expect(consumer.cursor).toBe(6);
  });

  it("that brings its cursor back is told of later ones only, and of none twice", async () => {
    const world = await openWorld();
    await makeQueue(world, "q", { max_active: 10 });
    await Promise.all(Array.from({ length: 5 }, () => issue(world, "q")));
    const first = new Consumer(world);
    await turns();
    first.stop();
    await turns();
    expect(first.over).toBe(true);
    await issue(world, "q");
    const second = new Consumer(world, 3);
    const third = new Consumer(world, first.cursor);
    await turns();
    expect([numbers(second), numbers(third)]).toEqual([[4, 5, 6], [6]]);
    expect(third.cursor).toBe(6);
  });

  it("is not told of those who have ended, nor of those with a stored request", async () => {
    const world = await openWorld();
    await makeQueue(world, "q", { kind: "defer", max_active: 10 });
    const ended = await issue(world, "q");
    await issue(world, "q", { store });
    await issue(world, "q");
    await world.replica.desk.complete(ended);
    const consumer = new Consumer(world);
    await turns();
    expect(consumer.told).toEqual([3]);
  });

  it("shows signs of life however many are admitted that are none of its business", async () => {
    const world = await openWorld();
    await makeQueue(world, "q", { kind: "defer", max_active: 1_000 });
    const consumer = new Consumer(world);
    for (let n = 0; n < 60; n++) {
      await issue(world, "q", { store });
      await pass(500);
    }
    expect(consumer.told).toEqual(["alive", "alive", "alive"]);
  });

  it("that is slow is told of everybody who is still active, and holds nothing up", async () => {
    const next = random(3);
    const world = await openWorld();
    await makeQueue(world, "q", { max_active: 100 });
    const consumer = new Consumer(world, 0, () => turns(pick(next, 30)));
    for (let n = 0; n < 80; n++) {
      await issue(world, "q");
      await turns(pick(next, 3));
    }
    await turns(3_000);
    expect(consumer.told).toEqual([...(consumer.told[0] === "alive" ? ["alive"] : []), ...upTo(80)]);
  });

  it("is told of thousands at once, in order", async () => {
    const world = await openWorld();
    await makeQueue(world, "q", { max_active: 5_000 });
    await Promise.all(Array.from({ length: 5_000 }, () => issue(world, "q")));
    const consumer = new Consumer(world);
    await turns();
    expect(consumer.told).toEqual(upTo(5_000));
  });

  it("ends when it hangs up, and when the node shuts down", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const [one, other] = [new Consumer(world), new Consumer(world)];
    await turns();
    one.stop();
    await turns();
    expect([one.over, other.over]).toEqual([true, false]);
    world.replica.drain();
    await turns();
    expect(other.over).toBe(true);
  });

  it(`is one of ${ADMISSION_STREAMS_MAX} at most; another is refused, and let in when one has gone`, async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const queue = world.replica.desk.queue("q");
    const { signal } = new AbortController();
    const open = () => world.replica.admissions.watch(queue, 0, signal);
    const streams = Array.from({ length: ADMISSION_STREAMS_MAX }, open);
    await Promise.all(streams.map((stream) => stream.next()));
    await expect(open().next()).rejects.toMatchObject({ reason: "OVERLOADED" });
    await streams[0]!.return(undefined);
    expect((await open().next()).done).toBe(false);
  });
});

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n + 1);
}
