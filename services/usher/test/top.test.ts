// `usher top` without a terminal: what is seen of the nodes, the picture of it, and the screen that it is drawn on.

import { EventEmitter, once } from "node:events";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { LogKind, LogState, NodeSchema, QueueDetailsSchema } from "@usher/protocol/admin";
import { QueueMode } from "@usher/protocol/queue";
import { LogError, MemoryStore } from "@usher/ticket-log";
import { describe, expect, test } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { live } from "../src/cli/top/command.ts";
import { Nodes, type Place, type Sight } from "../src/cli/top/nodes.ts";
import { Pictures } from "../src/cli/top/picture.ts";
import { FullScreen } from "../src/cli/top/screen.ts";
import { pictureJson, pictureLines } from "../src/cli/top/view.ts";
import { openNode, type TestNode } from "./support/node.ts";

function placeOf(node: TestNode, url: string): Place {
  return { url, client: node.client };
}

async function linesOf(...places: Place[]): Promise<string[]> {
  const nodes = new Nodes(places);
  await nodes.askAll();
  return pictureLines(new Pictures().take(nodes.sights));
}

/** A node that cannot be reached for as long as it is told so. */
function flaky(node: TestNode): { place: Place; away: (is: boolean) => void } {
  let isAway = false;
  const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const fail = () => Promise.reject(new ConnectError("", Code.Unavailable, undefined, undefined, refused));
  const client: Place["client"] = {
    getNode: (request, options) => (isAway ? fail() : node.client.getNode(request, options)),
    listQueues: (request, options) => (isAway ? fail() : node.client.listQueues(request, options)),
  };
  return { place: { url: "http://flaky", client }, away: (is) => (isAway = is) };
}

describe("the picture", () => {
  test("shows two nodes side by side, who keeps time, and how the queues stand", async () => {
    const store = new MemoryStore({ shared: true });
    const ann = await openNode({ store });
    const bob = await openNode({ store, node: "bob" });
    await ann.makeQueue("line", { max_active: 2 });
    await ann.makeQueue("aside", { mode: "paused", rate_thousandths: 500 });
    await ann.issue("line", 5);
    await eventually(() => expect(bob.replica.asOf).toBeGreaterThanOrEqual(ann.replica.asOf));
    const [head, , names, ...rest] = await linesOf(placeOf(ann, "http://a"), placeOf(bob, "http://b"));
    expect(head).toMatch(/^ann keeps time, term 1 · T /);
    expect(names).toMatch(/^NODE +ADDRESS +TERM +LAG +AS OF +STATE$/);
    expect(rest[0]).toMatch(/^ann +http:\/\/a +1 \* +\d+ ms +\d+ +ready$/);
    expect(rest[1]).toMatch(/^bob +http:\/\/b +1 +\d+ ms +\d+ +ready$/);
    expect(rest.slice(2)).toEqual([
      "",
      expect.stringMatching(/^QUEUE +MODE +WAITING +OLDEST +ACTIVE +LIMIT +ADMITTED\/S$/),
      expect.stringMatching(/^aside +paused +0 +- +0 +0\.5\/s, 1 at once +-$/),
      expect.stringMatching(/^line +auto +3 +\d+\.\d\d s +2 +2 at once +-$/),
    ]);
  });

  test("says of a node that it halted and why, and of one that nobody asked that it was heard", async () => {
    const store = new MemoryStore({ shared: true });
    const ann = await openNode({ store });
    const bob = await openNode({ store, node: "bob" });
    await bob.makeQueue("line");
    await eventually(() => expect(ann.replica.fold.queue("line")).toBeDefined());
    ann.log.failFollowers(new LogError("corrupt", "entries 5 to 7 are missing\x1b[2J"));
    const lines = await linesOf(placeOf(ann, "http://a"));
    expect(lines[3]).toMatch(/^ann .* HALTED: it reads the log no further: entries 5 to 7 are missing \[2J$/);
    expect(lines[4]).toMatch(/^also in this log: bob, heard \d+\.\d\d s of log time ago$/);
  });

  test("says of a node that cannot be reached why, and of one on another log that it is", async () => {
    const ann = await openNode();
    const { place, away } = flaky(ann);
    away(true);
    const stranger = await openNode({ node: "stranger" });
    await ann.makeQueue("a");
    await ann.makeQueue("b");
    await eventually(() => expect(ann.replica.asOf).toBeGreaterThan(stranger.replica.asOf));
    const lines = await linesOf(placeOf(ann, "http://a"), place, placeOf(stranger, "http://s"));
    expect(lines[4]).toMatch(/^\? +http:\/\/flaky +- +- +- +away: it cannot be reached \(ECONNREFUSED\)$/);
    expect(lines[5]).toContain(`on another log: its epoch is ${stranger.replica.epoch()}`);
    expect((await linesOf(place))[0]).toBe("no node can be reached");
  });

  test("for a program has the same as numbers", async () => {
    const ann = await openNode();
    await ann.makeQueue("line");
    await ann.issue("line", 3);
    const { place, away } = flaky(ann);
    away(true);
    const nodes = new Nodes([placeOf(ann, "http://a"), place]);
    await nodes.askAll();
    const json = pictureJson(new Pictures().take(nodes.sights));
    expect(JSON.parse(JSON.stringify(json))).toMatchObject({
      nodes: [
        {
          ...{ url: "http://a", name: "ann", ready: true, unready_reason: "", term: 1 },
          timekeeper: { node: "ann", term: 1, own: true },
          log: { kind: "embedded", state: "current", skipped: 0 },
          heard: [{ node: "ann" }],
        },
        { url: "http://flaky", error: "it cannot be reached (ECONNREFUSED)" },
      ],
      queues: [
        {
          name: "line",
          mode: "auto",
          rate_per_second: 0,
          max_active: 1,
          waiting: 2,
          active: 1,
          admissions: 1,
        },
      ],
    });
  });
});

/** A node that has read so far, with one queue that has admitted so many. */
function sight(
  url: string,
  { asOf, at_ms, admissions }: Record<"asOf" | "at_ms" | "admissions", number>,
): Sight {
  const log = { kind: LogKind.SHARED, state: LogState.CURRENT, asOf: BigInt(asOf) };
  const settings = { mode: QueueMode.AUTO, limit: { maxActive: 5 } };
  const queue = { name: "line", settings, admissions: BigInt(admissions), oldestWait: durationFromMs(1) };
  return {
    ...{ url, kind: "seen", at_ms },
    node: create(NodeSchema, { name: url, ready: true, log }),
    queues: [create(QueueDetailsSchema, queue)],
  };
}

describe("the pace of admissions", () => {
  const paces = (...rounds: Sight[][]) => {
    const pictures = new Pictures();
    return rounds.map((sights) => pictures.take(sights).queues[0]?.pace);
  };

  test("is measured between refreshes, over the last five seconds", () => {
    const at = (second: number, admissions: number) => [
      sight("a", { asOf: second, at_ms: second * 1_000, admissions }),
    ];
    expect(paces(at(0, 100), at(1, 110), at(2, 130))).toEqual([undefined, 10, 15]);
    const later = [0, 1, 2, 3, 4, 5].map((second) => at(second, 100));
    expect(paces(at(0, 0), at(1, 1_000), ...[2, 3, 4, 5, 6].map((second) => at(second, 1_000))).at(-1)).toBe(
      0,
    );
    expect(paces(...later).at(-1)).toBe(0);
  });

  test("is that of the node that has read furthest, and never less than nothing", () => {
    const both = (second: number, a: number, b: number) => [
      sight("a", { asOf: second * 10 + 1, at_ms: second * 1_000, admissions: a }),
      sight("b", { asOf: second * 10, at_ms: second * 1_000 + 5, admissions: b }),
    ];
    expect(paces(both(0, 100, 50), both(1, 120, 60))).toEqual([undefined, 20]);
    const alone = [sight("b", { asOf: 1, at_ms: 2_000, admissions: 70 })];
    expect(paces(both(0, 100, 50), both(1, 120, 60), alone)).toEqual([undefined, 20, 20]);
  });
});

/** A terminal that remembers what was written on it. */
class FakeTerminal extends EventEmitter {
  readonly isTTY = true;
  columns = 100;
  rows = 24;
  written = "";

  write(text: string): void {
    this.written += text;
    this.emit("written");
  }

  /** What was drawn last, without the commands. */
  get seen(): string[] {
    const last = this.written.split("\x1b[H").at(-1) ?? "";
    return last.replaceAll("\x1b[K", "").replaceAll("\x1b[J", "").split("\r\n");
  }
}

describe("the screen", () => {
  test("is drawn in place, follows the window's size, and is given back as it was", () => {
    const terminal = new FakeTerminal();
    const rooms: unknown[] = [];
    const screen = new FullScreen(terminal, (room) => {
      rooms.push(room);
      return ["one", "two"];
    });
    expect(terminal.written).toBe("\x1b[?1049h\x1b[?25l");
    screen.draw();
    expect(terminal.written.slice("\x1b[?1049h\x1b[?25l".length)).toBe("\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J");
    terminal.columns = 40;
    terminal.rows = 10;
    terminal.emit("resize");
    expect(rooms).toEqual([
      { columns: 99, rows: 24 },
      { columns: 39, rows: 10 },
    ]);
    screen.close();
    expect(terminal.written.endsWith("\x1b[?25h\x1b[?1049l")).toBe(true);
    const { written } = terminal;
    screen.close();
    screen.draw();
    terminal.emit("resize");
    expect(terminal.written).toBe(written);
    expect(terminal.listenerCount("resize")).toBe(0);
  });

  test("is given back when the program ends without closing it", () => {
    const before = process.listeners("exit");
    const terminal = new FakeTerminal();
    const screen = new FullScreen(terminal, () => []);
    const [leave] = process.listeners("exit").filter((listener) => !before.includes(listener));
    leave!(1);
    expect(terminal.written.endsWith("\x1b[?25h\x1b[?1049l")).toBe(true);
    screen.close();
    expect(process.listeners("exit")).toEqual(before);
  });

  test("holds what fits: lines are cut, and queues that have no room are counted", async () => {
    const ann = await openNode();
    for (let n = 0; n < 12; n++) await ann.makeQueue(`queue-${n}`);
    const nodes = new Nodes([placeOf(ann, "http://a")]);
    await nodes.askAll();
    const picture = new Pictures().take(nodes.sights);
    const lines = pictureLines(picture, { columns: 30, rows: 10 });
    expect(lines).toHaveLength(10);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(30);
    expect(lines.at(-1)).toMatch(/^… and 9 more queues/);
    expect(lines.at(-2)).toMatch(/^queue-1\d? .*…$/);
    expect(pictureLines(picture, { columns: 200, rows: 3 })).toHaveLength(3);
    expect(pictureLines(picture, { columns: 200, rows: 50 })).toHaveLength(4 + 1 + 13);
  });

  test("shows a node that goes away and comes back, and gives the terminal back when it is stopped", async () => {
    const ann = await openNode();
    await ann.makeQueue("line");
    const { place, away } = flaky(ann);
    const terminal = new FakeTerminal();
    const stop = new AbortController();
    const shown = live(new Nodes([place]), terminal, stop.signal);
    const until = async (pattern: RegExp) => {
      while (!pattern.test(terminal.seen.join("\n"))) await once(terminal, "written");
    };
    expect(terminal.seen[0]).toBe("asking …");
    await until(/^ann .* ready$/m);
    away(true);
    await until(/^ann .* away: it cannot be reached \(ECONNREFUSED\)$/m);
    away(false);
    await until(/^ann .* ready$/m);
    stop.abort();
    await shown;
    expect(terminal.written.endsWith("\x1b[?25h\x1b[?1049l")).toBe(true);
  });
});
