// `usher log` without a terminal: entries in words, found from the log's end, and the whole log folded.

import { createClient, createRouterTransport } from "@connectrpc/connect";
import { AdminService, type ReadLogRequest } from "@usher/protocol/admin";
import { decodeRecord } from "@usher/replica";
import type { StoredEntry } from "@usher/ticket-log";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { type Range, readEntries } from "../src/cli/log/entries.ts";
import { foldLog } from "../src/cli/log/fold.ts";
import { lastEntries } from "../src/cli/log/last.ts";
import { entryLine, lineText } from "../src/cli/log/words.ts";
import { Progress } from "../src/cli/progress.ts";
import { openNode, type TestNode } from "./support/node.ts";

const never = new AbortController().signal;

async function offsets(node: TestNode, range: Range): Promise<number[]> {
  const read: number[] = [];
  for await (const { entries } of readEntries(node.client, range, never))
    read.push(...entries.map(({ offset }) => offset));
  return read;
}

function lines(entries: readonly StoredEntry[], names = new Map<bigint, string>()): string[] {
  return entries.map((entry) => lineText(entryLine(entry, decodeRecord(entry.value), names)));
}

async function everything(node: TestNode): Promise<StoredEntry[]> {
  const all: StoredEntry[] = [];
  for await (const { entries } of readEntries(node.client, {}, never)) all.push(...entries);
  return all;
}

describe("an entry of the log", () => {
  test("that is a record shows where, when, by whom, which of theirs, what, and what it says", async () => {
    const node = await openNode();
    await node.makeQueue("orders", { kind: "defer", notice: "a word" });
    await node.issue("orders");
    const entries = await everything(node);
    const issued = entries.find(({ value }) => kindOf(value) === "ticket_issued")!;
    const line = entryLine(issued, decodeRecord(issued.value), new Map([[sessionOf(issued), "ann"]]));
    expect(line).toMatchObject({
      offset: issued.offset,
      kind: "record",
      key: "orders",
      node: "ann",
      event: { kind: "ticket_issued", queue: "orders", stored_request: false },
    });
    expect(line.session).toMatch(/^[0-9a-f]{16}$/);
    expect(JSON.parse(JSON.stringify(line))).toEqual(line);
    expect(lineText(line)).toMatch(
      /^ +\d+ \d{4}-\d\d-\d\dT[\d:.]+Z ann +#\d+ +ticket_issued queue=orders stored_request=false$/,
    );
    const [configured] = lines(entries.filter(({ value }) => kindOf(value) === "queue_configured"));
    expect(configured).toMatch(
      / queue_configured queue=orders revision=1 .*settings\.kind=defer .*notice="a word"$/,
    );
  });

  test("of a session that nobody knows shows the session", async () => {
    const node = await openNode();
    const [genesis] = await everything(node);
    expect(lines([genesis!])[0]).toMatch(/Z [0-9a-f]{16} #1 +genesis id=[0-9a-f]{32}$/);
  });

  test("that is none shows why; one of a newer build, what to do; and neither is obeyed by a terminal", async () => {
    const bad = {
      offset: 4,
      key: "a\x1b[2Jb",
      value: Buffer.from("garbage"),
      headers: { "x\x07": "\u009b1m" },
    };
    const [text] = lines([bad]);
    expect(text).toMatch(/^ +4 - +- +- +BAD, passed over: .*\(7 bytes, key "a\\u001b\[2Jb"\)/);
    expect(text).not.toMatch(/\p{Cc}/u);
    expect(entryLine(bad, decodeRecord(bad.value), new Map())).toMatchObject({ kind: "bad", bytes: 7 });
    const newer = { kind: "newer", session: 7n, format_level: 9 } as const;
    const line = entryLine({ ...bad, key: "", headers: {} }, newer, new Map([[7n, "bob"]]));
    expect(line).toMatchObject({ kind: "newer", node: "bob", session: "0000000000000007", format_level: 9 });
    expect(lineText(line)).toMatch(
      / bob +- +NEWER: of format level 9.*run a newer Usher \(7 bytes, key ""\)$/,
    );
  });

  test("of a clock that is out of its mind is shown all the same", () => {
    const record = {
      session: 1n,
      sequence: 1,
      wall_ms: 1e300,
      event: { kind: "term_opened", term: 1 },
    } as const;
    const entry = { offset: 0, key: "", value: new Uint8Array() };
    expect(lineText(entryLine(entry, { kind: "record", record }, new Map()))).toContain(" 1e+300 ms ");
  });
});

describe("the last entries", () => {
  test("are found however far back they are, in order, and no more than were asked for", async () => {
    const node = await openNode();
    await node.makeQueue("rare");
    await node.issue("rare", 3);
    for (let n = 0; n < 2_000; n++) node.log.inject({ key: "busy", value: Buffer.alloc(8) });
    await node.issue("rare", 2);
    const all = (await everything(node)).filter(({ key }) => key === "rare").map(({ offset }) => offset);
    expect(all).toHaveLength(6);
    for (const count of [0, 1, 2, 3, 5, 6, 7]) {
      const wanted = ({ key }: StoredEntry) => key === "rare";
      const { found, end } = await lastEntries(node.client, { count, wanted }, never);
      expect(found.map(({ offset }) => offset)).toEqual(count === 0 ? [] : all.slice(-count));
      expect(end).toBeGreaterThan(2_000);
    }
  });
});

describe("reading goes on", () => {
  test("elsewhere where a node that shuts down breaks off, without a gap, up to the same end", async () => {
    const asked: Pick<ReadLogRequest, "start" | "until" | "follow">[] = [];
    const at = (offset: number) => ({ offset: BigInt(offset), key: "", value: new Uint8Array() });
    const transport = createRouterTransport(({ service }) => {
      service(AdminService, {
        async *readLog({ start, until, follow }) {
          asked.push({ start, until, follow });
          if (asked.length === 1) {
            yield { entries: [at(0), at(1)], next: 2n, end: 4n };
            yield { next: 2n, end: 4n, reconnectAfter: { seconds: 0n, nanos: 1 } };
          } else {
            yield { entries: [at(2), at(3)], next: 4n, end: 9n };
          }
        },
      });
    });
    const read: number[] = [];
    const client = createClient(AdminService, transport);
    for await (const { entries } of readEntries(client, {}, never))
      read.push(...entries.map(({ offset }) => offset));
    expect(read).toEqual([0, 1, 2, 3]);
    expect(asked).toEqual([
      { start: { case: undefined }, until: 0n, follow: false },
      { start: { case: "from", value: 2n }, until: 4n, follow: false },
    ]);
  });

  test("until it is stopped, where it follows", async () => {
    const node = await openNode();
    const stop = new AbortController();
    let steps = 0;
    for await (const _ of readEntries(node.client, { follow: true }, stop.signal))
      if (++steps === 3) stop.abort();
    expect(steps).toBe(3);
    expect(await offsets(node, { last: 2 })).toHaveLength(2);
  });
});

describe("the whole log", () => {
  test("is folded to what the node has, up to an offset, and every record is seen with its own", async () => {
    const node = await openNode();
    await node.makeQueue("orders");
    await node.issue("orders", 5);
    node.log.inject({ key: "", value: Buffer.from("garbage") });
    await node.issue("orders");
    const until = node.replica.asOf;
    const seen: number[] = [];
    const reader = await foldLog({ client: node.client, until, see: ({ offset }) => seen.push(offset) });
    expect(reader.next).toBe(until);
    expect(reader.fold.queue("orders")).toMatchObject({ lastNumber: 6, waiting: 5, active: 1 });
    expect(reader.records).toMatchObject({ skipped: 1, folded: until - 1 });
    expect(seen).toHaveLength(until - 1);
    const entries = await everything(node);
    expect(seen).toEqual(
      entries
        .slice(0, until)
        .filter(({ value }) => kindOf(value) !== "bad")
        .map(({ offset }) => offset),
    );
  });

  test("that ends before it should, or is none of Usher's, is no fold, and that is said", async () => {
    const node = await openNode();
    await expect(foldLog({ client: node.client, until: 1_000 })).rejects.toThrow(/ends before 1000/);
    const transport = createRouterTransport(({ service }) => {
      service(AdminService, {
        async *readLog() {
          const [, opened] = await everything(node);
          yield { entries: [{ offset: 0n, key: "", value: opened!.value }], next: 1n, end: 1n };
        },
      });
    });
    const other = createClient(AdminService, transport);
    await expect(foldLog({ client: other, until: 1 })).rejects.toThrow(/not the beginning of an Usher log/);
  });
});

function kindOf(value: Uint8Array): string {
  const decoded = decodeRecord(value);
  return decoded.kind === "record" ? decoded.record.event.kind : decoded.kind;
}

function sessionOf({ value }: StoredEntry): bigint {
  const decoded = decodeRecord(value);
  return decoded.kind === "record" ? decoded.record.session : 0n;
}

describe("progress", () => {
  const output = (isTTY: boolean) => {
    const written: string[] = [];
    return { written, isTTY, write: (text: string) => written.push(text) };
  };

  test("is one line on a terminal, gone at the end; what is short shows none, nor does a file", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const [terminal, file] = [output(true), output(false)];
    for (const each of [terminal, file]) {
      const progress = new Progress(each, "entries", 400);
      progress.at(10);
      vi.advanceTimersByTime(600);
      progress.at(100);
      progress.at(101);
      vi.advanceTimersByTime(600);
      progress.at(399);
      progress.end();
      progress.end();
    }
    expect(terminal.written).toEqual([
      "\r\x1b[2Kusher: 25 % of 400 entries",
      "\r\x1b[2Kusher: 99 % of 400 entries",
      "\r\x1b[2K",
    ]);
    expect(file.written).toEqual([]);
  });
});
