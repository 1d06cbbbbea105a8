// The whole state, told: nothing of it is left out, and what differs is named.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { opened } from "../../../test/support/planted.ts";
import {
  CHUNK_BYTES,
  differences,
  encodeParts,
  Fold,
  PART_KINDS,
  type Part,
  type ReleaseReason,
  type Settings,
  type Value,
} from "../src/index.ts";
import { SEGMENT_TICKETS } from "../src/segment.ts";
import { leavesOf } from "./leaves.ts";
import { Log, SETTINGS } from "./log.ts";

const SECOND = 1_000;

/** Not told: how the state lies in memory. All of it follows from what is told. */
const LAYOUT = {
  "ActiveTickets.byNumber[].session": "there without a stored request; all that is in it is told",
  "AfterwardsRows.size": "rows in use",
  "Aliases.free": "places that were given back",
  "Aliases.index": "not made before the first of them",
  "Aliases.taken": "places in use, or given back",
  "Line.held": "segments that are held",
  "Pace.told": "made of what is counted",
  "Remembered.withdrawn order": "each is looked up by its number",
  "Segment.digest": "not made before the first key",
  "Segment.key": "not made before the first key",
  "Segment.present": "tickets of the segment that are not forgotten",
  "Segment.subject": "not made before the first subject",
  "Segment.used": "tickets of the segment",
};

/** Where the line begins to look for its front. A wrong one would have it look for ever. */
const HINT = "Line.front";

const LIMITS = { rate_thousandths: 50_000, max_active: 6, attempts: 2 };

/** A log with two queues, in which there is everything that can be. */
function story(fold: Fold): Fold {
  const log = new Log(LIMITS, fold);
  log.open(2n, 0n, "other");
  log.open(3n, 2n, "other");
  const pass: Settings = { ...SETTINGS, kind: "pass", mode: "queue_all" };
  log.write({ kind: "queue_configured", queue: "checkout", revision: 1, settings: pass, reason: "" });
  for (const subject of [1, 2, 3])
    log.write({ kind: "ticket_issued", queue: "checkout", subject: hash(subject), stored_request: false });
  for (const key of [21, 22]) {
    const names = { subject: hash(3), key: hash(key), digest: hash(key).subarray(8) };
    log.write({ kind: "ticket_issued", queue: "checkout", stored_request: false, adopt_key: true, ...names });
  }
  log.write({ kind: "ticket_left", queue: "checkout", number: 1 });
  log.sleep(SECOND);
  log.write({ kind: "session_extended", queue: "checkout", number: 2 });
  for (let n = 1; n <= 16; n++) {
    const names = n % 2 === 0 ? {} : { key: hash(n), digest: hash(n).subarray(8) };
    log.say({ kind: "ticket_issued", stored_request: n !== 5, ...names });
  }
  for (let n = 0; n < 2; n++) log.sleep(500);
  log.claim(1);
  log.answer(1);
  log.claim(3);
  log.sleep(6 * SECOND);
  log.configure({ ...LIMITS, max_active: 7, mode: "paused", notice: "soon" });
  release(log, 2, [1, 2], "refused");
  log.say({ kind: "request_retried", number: 2, reason: "" });
  release(log, 2, [3], "refused");
  log.claim(4, 1);
  release(log, 6, [1], "lost");
  const admit = (id: string, who: { count: number } | { number: number }) =>
    log.say({ kind: "admit_requested", request_id: id.repeat(16), who });
  log.say({ kind: "ticket_left", number: 14 });
  release(log, 7, [1, 2], "refused");
  log.say({ kind: "request_retried", number: 7, reason: "" });
  release(log, 7, [3, 4], "refused");
  admit("a1", { number: 12 });
  admit("a2", { count: 1 });
  return fold;
}

/** A line over two segments. */
function longStory(fold: Fold): Fold {
  const log = new Log({ mode: "paused" }, fold);
  for (let n = 0; n < SEGMENT_TICKETS + 2; n++) log.issue();
  return fold;
}

function release(log: Log, number: number, attempts: readonly number[], reason: ReleaseReason): void {
  for (const attempt of attempts) {
    log.claim(number, attempt, true);
    const not_before_ms = attempt === attempts.at(-1) ? 700 : 0;
    log.say({ kind: "claim_released", number, attempt, not_before_ms, reason });
  }
}

function hash(seed: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, at) => seed * 16 + at);
}

/** SHA-256 of all that is told. */
function digestOf(fold: Fold): string {
  const digest = createHash("sha256");
  for (const told of [fold, ...fold.queues()]) encodeParts(told.describe(), (bytes) => digest.update(bytes));
  return digest.digest("hex");
}

function tell(fold: Fold): Part[] {
  return [fold, ...fold.queues()].flatMap((told) => [...told.describe()]);
}

describe("a fold, told whole,", () => {
  test("has a part of every kind in the story of these tests", () => {
    const kinds = tell(story(new Fold())).map(({ kind }) => kind);
    expect([...new Set(kinds)].sort()).toEqual([...PART_KINDS].sort());
  });

  test("leaves out nothing: whatever is changed in it, the change is told, and changes the digest", async () => {
    const { Fold: Opened } = await opened<typeof import("../src/index.ts")>("packages/queue");
    const told = new Map<string, boolean>();
    for (const [tale, looked] of [[story, ""] as const, [longStory, "Line."] as const]) {
      const shipped = tale(new Fold());
      const fold = tale(new Opened());
      const digest = digestOf(shipped);
      expect(differences(shipped, fold)).toEqual([]);
      const leaves = [...leavesOf(fold)].filter(({ name }) => name.startsWith(looked));
      for (const { name, changes } of leaves) {
        for (const change of name === HINT ? [] : changes) {
          change();
          told.set(name, isTold(fold, shipped, digest) || told.get(name) === true);
          // All of them: to tell what cannot be may leave traces.
          for (const { putBack } of leaves) putBack();
        }
      }
      expect(digestOf(fold)).toBe(digest);
    }
    const untold = [...told].filter(([, isTold]) => !isTold).map(([name]) => name);
    expect(untold.sort()).toEqual(Object.keys(LAYOUT).sort());
  });
});

describe("what differs between two logs is named:", () => {
  /** Three wait, in a queue that admits nobody by itself. */
  function paused(): Log {
    const log = new Log({ mode: "paused", max_active: 3, key_retention_ms: SECOND });
    for (let n = 0; n < 3; n++) log.issue();
    return log;
  }

  function admit(log: Log, number: number): void {
    const request_id = number.toString(16).padStart(32, "0");
    log.say({ kind: "admit_requested", request_id, who: { number } });
  }

  test("nothing, where they have read the same", () => {
    expect(differences(paused().fold, paused().fold)).toEqual([]);
  });

  test("a ticket's fields, and what follows from them", () => {
    const [one, other] = [paused(), paused()];
    admit(other, 2);
    const found = differences(one.fold, other.fold);
    expect(found).toContain("queue orders: active 2: not there / there");
    expect(found).toContain("queue orders: ticket 3: position 3 / 2");
    expect(found.at(-2)).toMatch(/^queue orders: ticket 2: state waiting \/ admitted, position 2 \/ 0, /);
  });

  test("a setting", () => {
    const [one, other] = [paused(), paused()];
    other.configure({ mode: "paused", max_active: 3, key_retention_ms: SECOND, attempts: 7 });
    const setting = "queue orders: settings: revision 1 / 2, attempts 5 / 7";
    expect(differences(one.fold, other.fold)).toContain(setting);
  });

  test("a session, or a queue, that only one of them has", () => {
    const [one, other] = [paused(), paused()];
    one.open(2n);
    other.write({ kind: "queue_configured", queue: "new", revision: 1, settings: SETTINGS, reason: "" });
    expect(differences(one.fold, other.fold)).toEqual([
      "session 1: sequence 8 / 9",
      "session 2: there / not there",
      "queue new: not there / there",
    ]);
  });

  test("a ticket that one of them has forgotten", () => {
    const [one, other] = [paused(), paused()];
    for (const log of [one, other]) log.say({ kind: "ticket_left", number: 2 });
    one.sleep(SECOND);
    expect(differences(one.fold, other.fold)).toContain("queue orders: ticket 2: not there / there");
    expect(differences(other.fold, one.fold)).toContain("queue orders: ticket 2: there / not there");
  });

  test("an order, once", () => {
    const [one, other] = [paused(), paused()];
    for (const number of [1, 2, 3]) admit(one, number);
    for (const number of [1, 3, 2]) admit(other, number);
    const found = differences(one.fold, other.fold).filter((line) => line.includes("active"));
    expect(found).toEqual(["queue orders: active: 2 / 3 in the same place"]);
  });

  test("no more of it than is wanted", () => {
    const [one, other] = [paused(), new Log()];
    expect(differences(one.fold, other.fold, 2)).toHaveLength(2);
    expect(differences(one.fold, other.fold).length).toBeGreaterThan(2);
  });
});

describe("as bytes, what is told", () => {
  function written(parts: readonly Part[]): Buffer[] {
    const pieces: Buffer[] = [];
    encodeParts(parts, (bytes) => pieces.push(Buffer.from(bytes)));
    return pieces;
  }

  test("comes in pieces of bounded size, however much there is, and however long a text", () => {
    const long = { kind: "queue", id: "q".repeat(100_000), fields: { name: "é".repeat(70_000) } } as const;
    const pieces = written([long, ...tell(longStory(new Fold()))]);
    expect(pieces.length).toBeGreaterThan(5);
    for (const { length } of pieces) expect(length).toBeLessThanOrEqual(CHUNK_BYTES);
    const text = Buffer.from("q".repeat(100_000), "utf16le");
    expect(Buffer.concat(pieces).includes(text)).toBe(true);
  });

  test("is another for any other values, however alike", () => {
    const values: Value[][] = [
      ...[[], [undefined], [false], [true], [0], [1], [-1], [0.5], [2 ** 32], [0n], [1n], [""], ["0"]],
      ...[["a", "bc"], ["ab", "c"], ["abc"], ["abc", ""], ["", "abc"], ["\u0100"], ["\u0001"]],
      ...[[[]], [[0]], [[0, 0]], [[0], 0], [[], 0], [[0], [0]], [[1, 2]], [[12]]],
    ];
    const all = values.map((fields) => {
      const named = Object.fromEntries(fields.map((value, at) => [`field ${at}`, value]));
      const part: Part = { kind: "state", id: "", fields: named };
      return Buffer.concat(written([part, part])).toString("hex");
    });
    expect(new Set(all).size).toBe(values.length);
  });
});

/** Whether a changed fold is told from what it was, in words and as bytes alike. */
function isTold(changed: Fold, shipped: Fold, digest: string): boolean {
  try {
    const isNamed = differences(shipped, changed).length > 0;
    expect(digestOf(changed) !== digest).toBe(isNamed);
    return isNamed;
  } catch (error) {
    // What contradicts itself cannot be told.
    if (error instanceof TypeError || error instanceof RangeError) return true;
    throw error;
  }
}
