// What a replica makes of a log that holds more than its own good records.

import type { LogEvent, SessionId } from "@usher/queue";
import { type Fate, MemoryStore } from "@usher/ticket-log";
import { describe, expect, it, vi } from "vitest";
import { encodeRecord, FORMAT_LEVEL } from "../src/log/codec.ts";
import { Reader } from "../src/reader.ts";
import { envelope } from "./support/envelope.ts";
import { pass, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, makeQueue, openWorld, recordsOf, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

/** A level of format that this build does not know. */
const NEWER = FORMAT_LEVEL + 1;

function entry(value: Uint8Array) {
  return { key: "", value };
}

function written(session: SessionId, sequence: number, event: LogEvent) {
  return entry(encodeRecord({ session, sequence, wall_ms: 0, event }));
}

/** The session that this node's own records are written in. */
function ownSession({ store }: World): SessionId {
  return recordsOf(store).find(({ event }) => event.kind === "session_opened")!.session;
}

describe("a log with entries that are no records of this build", () => {
  it("is read past garbage, damaged envelopes and records of unknown kinds, and tickets go on", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const whole = envelope({ session: ownSession(world), sequence: 1_000 });
    const bad = [
      new Uint8Array(),
      Buffer.from("not a record"),
      new Uint8Array(100_000).fill(0xff),
      whole.subarray(0, -1),
      envelope({ session: ownSession(world), sequence: 1_000, checksum: 1 }),
      whole,
      // A kind that is not known (field 99), whole and well checked.
      envelope({ session: ownSession(world), sequence: 1_000, record: Uint8Array.of(0x9a, 0x06, 0x00) }),
    ];
    for (const value of bad) world.log.inject(entry(value));
    expect((await issue(world, "q")).view.number).toBe(1);
    expect(world.replica).toMatchObject({ ready: true, halted: undefined });
    expect(world.faults).toEqual([]);
    const reader = new Reader(world.log);
    await reader.readToEnd();
    expect(reader.records).toMatchObject({ ignored: 0, skipped: bad.length });
  });

  it("halts the node, unready and saying why, at a record of a newer format from a known session", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    await issue(world, "q");
    world.log.inject(entry(envelope({ format_level: NEWER, session: ownSession(world), sequence: 1_000 })));
    await turns();
    expect(world.replica.ready).toBe(false);
    expect(world.replica.halted?.message).toMatch(new RegExp(`format level ${NEWER}.*newer Usher`));
    expect(world.faults).toEqual([world.replica.halted]);
    await expect(issue(world, "q")).rejects.toMatchObject({ reason: "NOT_READY" });
  });

  it("has nothing more written into it by a node that has halted: no ticks, no records of callers", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const { view } = await issue(world, "q");
    world.log.inject(entry(envelope({ format_level: NEWER, session: ownSession(world), sequence: 1_000 })));
    await turns();
    const { end } = world.store;
    await pass(3_000);
    const leaving = world.replica.append({ kind: "ticket_left", queue: "q", number: view.number });
    await expect(leaving).rejects.toMatchObject({ code: "unavailable", outcome: "refused" });
    await world.close();
    expect(world.store.end).toBe(end);
    expect(world.faults).toHaveLength(1);
  });

  it("is read past a record of a newer format from a session that is not known", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    world.log.inject(entry(envelope({ format_level: NEWER, session: 99n, sequence: 1 })));
    await issue(world, "q");
    expect(world.replica.ready).toBe(true);
  });
});

describe("a log that does not begin as Usher's do", () => {
  it("is refused, and nothing is written into it", async () => {
    for (const first of [Buffer.from("someone else's"), envelope({ format_level: NEWER, session: 99n })]) {
      const store = new MemoryStore();
      store.write(entry(first), undefined, 0);
      await expect(openWorld({ store })).rejects.toMatchObject({ name: "LogError", code: "corrupt" });
      expect(store.end).toBe(1);
    }
  });

  it("is refused when its first record is another than the genesis", async () => {
    const store = new MemoryStore();
    store.write(written(7n, 1, { kind: "session_opened", former: 0n, node: "node" }), undefined, 0);
    await expect(openWorld({ store })).rejects.toMatchObject({ name: "NoGenesisError" });
    expect(store.end).toBe(1);
  });
});

describe("a replica that is closed", () => {
  it("ends within the deadline of its last tick, though the log does not answer", async () => {
    let fate: Fate = "written";
    const world = await openWorld({ fate: () => fate });
    await makeQueue(world, "q");
    fate = "stuck";
    await pass(1_000);
    let closed = false;
    const closing = world.replica.close().then(() => {
      closed = true;
    });
    await pass(11_000);
    expect(closed).toBe(true);
    await closing;
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a replica that cannot be opened", () => {
  it("lets go of the log, and leaves no timer behind", async () => {
    const store = new MemoryStore();
    const fate = () => "refused" as const;
    await expect(openWorld({ store, fate })).rejects.toMatchObject({ code: "unavailable" });
    expect(vi.getTimerCount()).toBe(0);
    expect(store.end).toBe(0);
    const world = await openWorld({ store });
    expect(world.replica.ready).toBe(true);
  });
});
