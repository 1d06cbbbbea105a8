// What others chose (a service, a broker, a client, a node) makes no line in the log or in a table, and nothing that a
// terminal obeys.

import { expect, test } from "vitest";
import { Faults } from "../src/cli/faults.ts";
import { saidText } from "../src/cli/say.ts";
import { columns, printable } from "../src/cli/text.ts";
import { Screen } from "../src/cli/watch/screen.ts";

/** What may stand in a line: nothing that is obeyed, ends a line, turns it around, or is not seen. */
const HARMLESS = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u;

const HOSTILE = [
  ["a command to the terminal", "x\u001b[2J\u001b]0;title\u0007y"],
  ["its command in one byte", "x\u009b2Jy"],
  ["a line feed", "x\nusher: stopped"],
  ["a carriage return", "x\rusher: stopped"],
  ["both", "x\r\nusher: stopped"],
  ["a line separator", "x\u2028usher: stopped"],
  ["a paragraph separator", "x\u2029usher: stopped"],
  ["a next line", "x\u0085usher: stopped"],
  ["an override of the direction", "x\u202edeppots :rehsu"],
  ["an isolate", "x\u2066y\u2069"],
  ["letters that nobody sees", "x\u200by\ufeffz\u{e0041}"],
  ["a zero byte and a backspace", "x\u0000\b\u007f"],
  ["half a character", "x\ud800y"],
] as const;

test.each(HOSTILE)("in a line of the log, %s stays on the line and shows as its code", (_, text) => {
  const said = saidText(`refused with 404 queue_not_found: ${text}`);
  expect(said).toMatch(HARMLESS);
  expect(said).toContain("\\u{");
});

test.each(HOSTILE)("in a fault and in a refusal, %s makes no other line of the log", (_, text) => {
  const written: string[] = [];
  const { report, refused } = new Faults(
    (line) => written.push(saidText(line)),
    () => 0,
  );
  report(new Error(text));
  refused({ reason: "queue_not_found", status: 404, detail: text });
  expect(written).toHaveLength(2);
  for (const line of written) expect(line).toMatch(HARMLESS);
});

test("in a fault and in a refusal, not even an indented line goes on", () => {
  const text = "x\n    usher: stopped";
  const { report, refused } = new Faults(
    (line) => expect(saidText(line)).toMatch(HARMLESS),
    () => 0,
  );
  report(new Error(text));
  report(`${text}, too`);
  refused({ reason: "queue_not_found", status: 404, detail: text });
  expect.assertions(3);
});

test.each(HOSTILE)("in a table, %s stays in its cell", (_, text) => {
  const [head, row, ...more] = columns([
    ["NAME", "STATE"],
    [text, "ready"],
  ]).split("\n");
  expect(more).toEqual([]);
  expect(head).toMatch(/^NAME +STATE$/);
  expect(row).toMatch(HARMLESS);
  expect(row).toMatch(/ {2}ready$/);
});

test.each(HOSTILE)("in the place that is watched, %s is not written", (_, text) => {
  const written: string[] = [];
  new Screen({ write: (more) => written.push(more) }).show(`ticket 1 in ${text}: position 2`, "1");
  expect(written.map((line) => line.replace(/\n$/, ""))).toEqual([expect.stringMatching(HARMLESS)]);
});

test("a megabyte is told in part: in a line, in a fault that is remembered, in a cell", () => {
  const megabyte = "\u001b".repeat(2 ** 20);
  const told: string[] = [];
  const { report, refused } = new Faults(
    (line) => told.push(line),
    () => 0,
  );
  report(new Error(megabyte));
  refused({ reason: "queue_not_found", status: 404, detail: megabyte });
  for (const line of told) expect(line.length).toBeLessThan(2_100);
  expect(told).toHaveLength(2);
  expect(saidText(megabyte).length).toBe(16_384);
  expect(saidText(megabyte)).toMatch(HARMLESS);
  expect(columns([[megabyte]]).length).toBe(2_000);
});

test("what is indented below a line of ours stays below it", () => {
  const list = "usher.yaml: 2 mistakes\n  queues.a: is missing\n  routes[0]: leads nowhere";
  expect(saidText(list)).toBe(list);
  const trace = "x is undefined\n    at handle (gateway.ts:1:2)";
  expect(saidText(trace)).toBe(trace);
});

test("words in any script stay as they are, with what joins their letters", () => {
  const notice = "10시에 다시 · می‌خواهم · 👩‍💻";
  expect(printable(notice)).toBe(notice);
  expect(saidText("10시에 다시")).toBe("10시에 다시");
});
