// The log's twin in memory: a ticket log like the others, and one that fails as it is told.

import { describe, expect, it } from "vitest";
import { type Fate, LogError, MemoryStore, openMemoryLog, type Writer } from "../src/index.ts";
import { entry, texts } from "./contract/entries.ts";
import { Reader, readAll } from "./contract/reader.ts";
import { describeTicketLog, type HarnessStore, type LogHarness } from "./contract.ts";

function storeOf(store: MemoryStore): HarnessStore {
  const opened: { close(): Promise<void> }[] = [];
  const others: HarnessStore[] = [];
  return {
    ...(store.shared && {
      async other() {
        const other = storeOf(store);
        others.push(other);
        return other;
      },
    }),
    async open(options) {
      const log = openMemoryLog({ store, ...options });
      opened.push(log);
      return log;
    },
    killed: async () => storeOf(store.copy()),
    async remove() {
      for (const log of opened) await log.close();
      for (const other of others) await other.remove();
    },
  };
}

const memoryHarness: LogHarness = { create: async () => storeOf(new MemoryStore()) };

describeTicketLog("Memory", memoryHarness);
describeTicketLog("Memory of several nodes", {
  create: async () => storeOf(new MemoryStore({ shared: true })),
});

/** What became of an append: "ok", or its outcome. */
async function outcome(writer: Writer, text: string): Promise<string> {
  const payload = { key: { session: 1n, sequence: text.length, attempt: 0 }, bytes: Buffer.from(text) };
  try {
    await writer.append(entry(text), { payload });
    return "ok";
  } catch (error) {
    return LogError.from(error).outcome;
  }
}

/** A log in which entries have the fates that their texts begin with. */
function logWith(fates: Record<string, Fate>, store = new MemoryStore()) {
  const fate = ({ value }: { value: Uint8Array }): Fate =>
    fates[Buffer.from(value).toString().split(" ")[0]!] ?? "written";
  return openMemoryLog({ store, fate });
}

describe("a log in memory that fails on purpose", () => {
  it.each<[Fate, string, string[]]>([
    ["written", "ok", ["odd one", "next"]],
    ["refused", "refused", ["next"]],
    ["lost", "unknown", ["next"]],
    ["unacknowledged", "unknown", ["odd one", "next"]],
    ["twice", "ok", ["odd one", "odd one", "next"]],
    [{ late: 1 }, "unknown", ["next", "odd one"]],
    [{ late: 2 }, "unknown", ["next"]],
  ])("makes of one that is %j what it should, with its payload", async (fate, told, left) => {
    const log = logWith({ odd: fate });
    expect(await outcome(log.openWriter(), "odd one")).toBe(told);
    expect(await outcome(log.openWriter(), "next")).toBe("ok");
    expect(texts(await readAll({}, log))).toEqual(left);
    const payload = await log.getPayload({ session: 1n, sequence: "odd one".length, attempt: 0 });
    expect(payload && Buffer.from(payload).toString()).toBe(left.includes("odd one") ? "odd one" : undefined);
    await log.close();
  });

  it("takes nothing more from a writer that had an unknown outcome, and goes on with another", async () => {
    const log = logWith({ odd: "lost" });
    const writer = log.openWriter();
    const busy = [outcome(writer, "first"), outcome(writer, "odd"), outcome(writer, "accepted before")];
    expect(await Promise.all(busy)).toEqual(["ok", "unknown", "ok"]);
    expect(await outcome(writer, "after")).toBe("refused");
    expect(await outcome(log.openWriter(), "another")).toBe("ok");
    expect(texts(await readAll({}, log))).toEqual(["first", "accepted before", "another"]);
    await log.close();
  });

  it("delivers what is late even through the next log on the same store", async () => {
    const store = new MemoryStore();
    const first = logWith({ odd: { late: 2 } }, store);
    await outcome(first.openWriter(), "odd");
    await first.close();
    const second = logWith({}, store);
    const live = new Reader({}, second);
    const writer = second.openWriter();
    for (const name of ["a", "b", "c"]) await outcome(writer, name);
    await live.has(4);
    expect(texts(live.got)).toEqual(["a", "b", "odd", "c"]);
    await second.close();
  });

  it("answers what is stuck when it closes, and the writer's close waits for that", async () => {
    const log = logWith({ odd: "stuck" });
    const writer = log.openWriter();
    const ends: string[] = [];
    const stuck = outcome(writer, "odd").then((told) => ends.push(told));
    expect(await outcome(writer, "next")).toBe("ok");
    const closed = writer.close().then(() => ends.push("writer closed"));
    expect(ends).toEqual([]);
    await log.close();
    await Promise.all([stuck, closed]);
    expect(ends).toEqual(["unknown", "writer closed"]);
  });

  it("writes and answers nothing while it is held, and all of it, in order, afterwards", async () => {
    const log = openMemoryLog();
    const live = new Reader({}, log);
    const writer = log.openWriter();
    await writer.append(entry("before"));
    log.hold();
    const ends: string[] = [];
    const appends = ["a", "b"].map((text) => outcome(writer, text).then((told) => ends.push(told)));
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect([ends, texts(live.got)]).toEqual([[], ["before"]]);
    log.release();
    await Promise.all(appends);
    await live.has(3);
    expect(texts(live.got)).toEqual(["before", "a", "b"]);
    log.hold();
    const last = outcome(writer, "last");
    await log.close();
    expect(await last).toBe("ok");
  });

  it("shows followers what strangers wrote, and ends following when told to", async () => {
    const log = openMemoryLog();
    const live = new Reader({}, log);
    log.inject(entry("a stranger's"));
    await live.has(1);
    expect(texts(live.got)).toEqual(["a stranger's"]);
    log.failFollowers(new LogError("corrupt", "a gap"));
    expect(live.failure).toMatchObject({ code: "corrupt", message: "a gap" });
    await log.openWriter().append(entry("after"));
    expect(texts(await readAll({}, log))).toEqual(["a stranger's", "after"]);
    expect(live.got).toHaveLength(1);
    await log.close();
  });

  it("is open once at a time on its store", async () => {
    const store = new MemoryStore();
    const log = openMemoryLog({ store });
    expect(() => openMemoryLog({ store })).toThrow(expect.objectContaining({ code: "in_use" }));
    await log.close();
    await openMemoryLog({ store }).close();
  });
});
