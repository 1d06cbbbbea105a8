// ReadLog: the log's entries as they are stored.

import type { LogEntry, ReadLogResponse } from "@usher/protocol/admin";
import { LogError } from "@usher/ticket-log";
import { describe, expect, it } from "vitest";
import { LOG_READERS_MAX, STEP } from "../src/entries.ts";
import { SILENCE_MS } from "../src/index.ts";
import { all, backend, clientsOf, refusalOf } from "./support/rpc.ts";
import { pass, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, entriesOf, openWorld, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

type Asked = Parameters<ReturnType<typeof clientsOf>["admin"]["readLog"]>[0];

/** A log of so many entries, and the calls on it. */
async function openLog({ length = 20, bytes = 10 } = {}) {
  const world = await openWorld();
  await turns();
  write(world, length - world.store.end, bytes);
  await turns();
  const { admin } = clientsOf(world, backend());
  const read = (asked: Asked = {}, options?: { signal: AbortSignal }) => admin.readLog(asked, options);
  return { world, read };
}

/** Appends entries of somebody else's. */
function write({ log, store }: World, count: number, bytes = 10): void {
  for (let n = 0; n < count; n++)
    log.inject({ key: "q", value: Buffer.alloc(bytes, store.end), headers: { traceparent: `${store.end}` } });
}

function entriesIn(messages: readonly ReadLogResponse[]): LogEntry[] {
  return messages.flatMap(({ entries }) => entries);
}

function offsets(messages: readonly ReadLogResponse[]): number[] {
  return entriesIn(messages).map(({ offset }) => Number(offset));
}

function range(from: number, until: number): number[] {
  return Array.from({ length: until - from }, (_, at) => from + at);
}

/** Reads on and on, and keeps what it is told. */
class Reading {
  readonly messages: ReadLogResponse[] = [];
  over = false;
  error: unknown;

  constructor(stream: AsyncIterable<ReadLogResponse>) {
    this.#run(stream);
  }

  async #run(stream: AsyncIterable<ReadLogResponse>): Promise<void> {
    try {
      for await (const message of stream) this.messages.push(message);
    } catch (error) {
      this.error = error;
    }
    this.over = true;
  }
}

describe("whoever reads the log", () => {
  it("gets every entry as it is stored, up to the log's end, and where to go on", async () => {
    const { world, read } = await openLog();
    const messages = await all(read());
    expect(
      entriesIn(messages).map(({ offset, key, value, headers }) => ({
        offset: Number(offset),
        key,
        value: Buffer.from(value),
        headers,
      })),
    ).toEqual(
      entriesOf(world.store).map(({ offset, key, value, headers }) => ({
        offset,
        key,
        value: Buffer.from(value),
        headers: headers ?? {},
      })),
    );
    expect(messages[0]).toMatchObject({ entries: [], next: 0n, end: 20n });
    expect(messages.at(-1)).toMatchObject({ next: 20n, end: 20n });
    expect(messages.at(-1)!.reconnectAfter).toBeUndefined();
  });

  it.each<[string, Asked, number[]]>([
    ["from an offset", { start: { case: "from", value: 17n } }, [17, 18, 19]],
    ["from its end", { start: { case: "from", value: 20n } }, []],
    ["the last three", { start: { case: "last", value: 3 } }, [17, 18, 19]],
    ["the last of more than there are", { start: { case: "last", value: 1_000 } }, range(0, 20)],
    ["up to an offset", { until: 2n }, [0, 1]],
    ["from one offset to another", { start: { case: "from", value: 5n }, until: 7n }, [5, 6]],
    ["up to less than it begins with", { start: { case: "from", value: 5n }, until: 3n }, []],
    ["up to further than the log goes", { until: 2n ** 64n - 1n }, range(0, 20)],
  ])("reads %s", async (_, asked, expected) => {
    const { read } = await openLog();
    expect(offsets(await all(read(asked)))).toEqual(expected);
  });

  it("gets what is written meanwhile only if it follows", async () => {
    const { world, read } = await openLog();
    const still = new Reading(read({ start: { case: "last", value: 2 } }));
    const following = new Reading(read({ start: { case: "last", value: 2 }, follow: true }));
    await turns();
    expect(offsets(still.messages)).toEqual([18, 19]);
    expect(still.over).toBe(true);
    write(world, 3);
    await turns();
    expect(offsets(following.messages)).toEqual([18, 19, 20, 21, 22]);
    expect(following.over).toBe(false);
  });

  it("that follows a silent log hears that the stream lives", async () => {
    const { world, read } = await openLog();
    world.log.cut();
    const reading = new Reading(read({ start: { case: "from", value: 20n }, follow: true }));
    await pass(3 * SILENCE_MS + 1_000);
    expect(reading.messages.map(({ entries, next }) => [entries.length, next])).toEqual(
      Array(4).fill([0, 20n]),
    );
  });

  it("gets them in messages of a bounded size, also where an entry alone is larger", async () => {
    const { world, read } = await openLog({ length: 1_200 });
    write(world, 9, STEP.bytes / 3);
    write(world, 2, STEP.bytes + 1);
    await turns();
    const messages = await all(read({ start: { case: "from", value: 10n } }));
    expect(offsets(messages)).toEqual(range(10, world.store.end));
    const sizes = messages.map(({ entries }) => ({
      count: entries.length,
      bytes: entries.reduce((sum, { value }) => sum + value.length, 0),
    }));
    for (const { count, bytes } of sizes) {
      expect(count).toBeLessThanOrEqual(STEP.entries);
      if (count > 1) expect(bytes).toBeLessThanOrEqual(STEP.bytes);
    }
    expect(sizes.filter(({ count }) => count === STEP.entries)).toHaveLength(2);
    expect(sizes.slice(-2).map(({ count }) => count)).toEqual([1, 1]);
  });

  it("is refused what makes no sense, and told which field", async () => {
    const { read } = await openLog();
    const asked: [Asked, string][] = [
      [{ start: { case: "from", value: 21n } }, "from"],
      [{ start: { case: "from", value: 2n ** 64n - 1n } }, "from"],
      [{ start: { case: "last", value: 0 } }, "last"],
      [{ start: { case: "last", value: 1_000_001 } }, "last"],
      [{ until: 5n, follow: true }, "until"],
    ];
    for (const [request, field] of asked)
      expect(await refusalOf(all(read(request)))).toMatchObject({
        reason: "INVALID_FIELD",
        metadata: { field },
      });
  });

  it("needs an API key", async () => {
    const { world } = await openLog();
    const { admin } = clientsOf(world, {});
    expect(await refusalOf(all(admin.readLog({})))).toMatchObject({ reason: "API_KEY_REQUIRED" });
  });
});

describe("a reader that is slow", () => {
  it("leaves the log where it is: a bounded part of it is read ahead, and nothing is missed", async () => {
    const { world } = await openLog({ length: 50, bytes: 10 });
    write(world, 500, 64 * 1024);
    await turns();
    let follows = 0;
    let delivered = 0;
    const { log } = world;
    const follow = log.follow.bind(log);
    log.follow = (from, follower) => {
      follows++;
      return follow(from, {
        entries: (batch, next) => {
          delivered += batch.length;
          follower.entries(batch, next);
        },
        failed: (error) => follower.failed(error),
      });
    };
    const stop = new AbortController();
    const stream = world.replica.entries.read({ from: 0, until: Infinity }, stop.signal);
    const taken: number[] = [];
    const take = async () => {
      const { value } = await stream.next();
      taken.push(...(value ?? []).map(({ offset }) => offset));
    };
    await take();
    await take();
    // Nothing more comes, however long it takes no more; and what comes new to the log does not reach it either.
    await turns(200);
    const before = delivered;
    write(world, 100, 64 * 1024);
    await turns(200);
    expect(delivered).toBe(before);
    while (taken.length < 650) await take();
    expect(taken).toEqual(range(0, 650));
    expect(follows).toBeGreaterThan(1);
    stop.abort();
    expect((await stream.next()).done).toBe(true);
  });
});

describe("a stream of the log ends", () => {
  it("with the word to go on elsewhere when the node shuts down, and not as if it were complete", async () => {
    const { world, read } = await openLog();
    const reading = new Reading(read({ follow: true }));
    await turns();
    world.replica.drain();
    await turns();
    expect(reading).toMatchObject({ over: true, error: undefined });
    expect(reading.messages.at(-1)).toMatchObject({ entries: [], next: 20n });
    expect(reading.messages.at(-1)!.reconnectAfter).toBeDefined();
  });

  it("when its reader hangs up", async () => {
    const { world, read } = await openLog();
    const stop = new AbortController();
    const reading = new Reading(read({ follow: true }, { signal: stop.signal }));
    await turns();
    stop.abort();
    await turns();
    expect(reading.over).toBe(true);
    // The log lets go of it.
    const streams = Array.from({ length: LOG_READERS_MAX }, () => new Reading(read({ follow: true })));
    await turns();
    expect(streams.filter(({ over }) => over)).toEqual([]);
    world.replica.drain();
    await turns();
  });

  it("as LOG_UNAVAILABLE when the log can be followed no further, after what was read", async () => {
    const { world, read } = await openLog();
    const stream = read({ start: { case: "last", value: 1 }, follow: true });
    const reading = new Reading(stream);
    await turns();
    world.log.failFollowers(new LogError("corrupt", "a gap"));
    await turns();
    expect(offsets(reading.messages)).toEqual([19]);
    expect(await refusalOf(Promise.reject(reading.error))).toMatchObject({ reason: "LOG_UNAVAILABLE" });
  });
});

describe("the readers of a node's log", () => {
  it(`are ${LOG_READERS_MAX} at most; one more is refused, and let in when another has gone`, async () => {
    const { world, read } = await openLog();
    const stop = new AbortController();
    const first = new Reading(read({ follow: true }, { signal: stop.signal }));
    const others = Array.from({ length: LOG_READERS_MAX - 1 }, () => new Reading(read({ follow: true })));
    await turns();
    expect([first, ...others].filter(({ over }) => over)).toEqual([]);
    expect(await refusalOf(all(read()))).toMatchObject({ reason: "OVERLOADED", retry_ms: 1_000 });
    stop.abort();
    await turns();
    expect(offsets(await all(read()))).toEqual(range(0, 20));
    world.replica.drain();
    await turns();
    expect(others.filter(({ over }) => !over)).toEqual([]);
  });
});
