import { expect, test } from "vitest";
import { Faults } from "../src/cli/faults.ts";

function faults() {
  const said: string[] = [];
  const clock = { now_ms: 0 };
  return {
    said,
    clock,
    report: new Faults(
      (line) => said.push(line),
      () => clock.now_ms,
    ).report,
  };
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
