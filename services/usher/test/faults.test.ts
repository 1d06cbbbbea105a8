import { expect, test } from "vitest";
import { Faults } from "../src/cli/faults.ts";

function faults() {
  const said: string[] = [];
  const fields: unknown[] = [];
  const clock = { now_ms: 0 };
  const { report, refused } = new Faults(
    (line, more) => {
      said.push(line);
      fields.push(more);
    },
    () => clock.now_ms,
  );
  return { said, fields, clock, report, refused };
}

test("a fault is said at once, and not again while it goes on", () => {
  const { said, report } = faults();
  for (let tick = 0; tick < 200; tick++) report(new Error("no room"));
  expect(said).toEqual(["no room"]);
});

test("after ten seconds it is said again, with how often it came", () => {
  const { said, clock, report } = faults();
  for (let tick = 0; tick < 200; tick++) report(new Error("no room"));
  clock.now_ms = 10_000;
  report(new Error("no room"));
  expect(said).toEqual(["no room", "no room (199 more times since)"]);
});

test("another fault is not held back", () => {
  const { said, report } = faults();
  report(new Error("a"));
  report(new Error("b"));
  expect(said).toEqual(["a", "b"]);
});

test("a fault of our own is said with where it came from", () => {
  const { said, report } = faults();
  report(new TypeError("x is undefined"));
  expect(said[0]).toMatch(/x is undefined\n\s+at .*faults\.test\.ts/);
});

test("of ever new faults only so many are remembered", () => {
  const { said, report } = faults();
  for (let at = 0; at < 150; at++) report(new Error(`fault ${at}`));
  // The first was forgotten, so it counts as new; the last was not.
  report(new Error("fault 0"));
  report(new Error("fault 149"));
  expect(said).toHaveLength(151);
});

test("a refusal is said once for its reason, whatever its words, and then with how often it came", () => {
  const { said, fields, clock, refused } = faults();
  for (let at = 0; at < 50; at++) refused({ reason: "queue_full", status: 503, detail: `come in ${at} s` });
  refused({ reason: "loop", status: 508, detail: "it leads back" });
  clock.now_ms = 10_000;
  refused({ reason: "queue_full", status: 503, detail: "come later" });
  expect(said).toEqual([
    "refused with 503 queue_full: come in 0 s",
    "refused with 508 loop: it leads back",
    "refused with 503 queue_full: come later (49 more times since)",
  ]);
  expect(fields[2]).toEqual({ reason: "queue_full", status: 503, repeats: 49 });
});

test("what is told as a fault is not told as a refusal, too", () => {
  const { said, refused } = faults();
  refused({ reason: "service_lost", status: 502, detail: "it broke off" });
  expect(said).toEqual([]);
});

test("of ever new faults, so many are said in a while, and of the others how many there were", () => {
  const { said, clock, report } = faults();
  for (let at = 0; at < 1_000; at++) report(new Error(`fault ${at}`));
  expect(said).toHaveLength(200);
  clock.now_ms = 10_000;
  report(new Error("another"));
  expect(said.slice(200)).toEqual(["800 different lines were held back", "another"]);
});
