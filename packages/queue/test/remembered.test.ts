import fc from "fast-check";
import { expect, test } from "vitest";
import { Remembered } from "../src/remembered.ts";
import { SEED } from "./sample.ts";

test("ended tickets come up in the order of their end, while the ring grows, wraps and shrinks", () => {
  const step = fc.record({ add: fc.constantFrom(0, 1, 50, 900), forget: fc.constantFrom(0, 1, 50, 900) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const remembered = new Remembered();
      const expected: number[] = [];
      let last = 0;
      for (const { add, forget } of steps) {
        for (let n = 0; n < add; n++) {
          remembered.add(++last, last * 10);
          expected.push(last);
        }
        for (let n = 0; n < forget; n++) expect(remembered.next(Infinity)).toBe(expected.shift() ?? 0);
        expect(remembered.size).toBe(expected.length);
      }
    }),
    { seed: SEED, numRuns: 50 },
  );
});

test("one that was taken out is passed over, as often as that happened, and comes up for its last end", () => {
  const step = fc.record({
    add: fc.constantFrom(0, 1, 50),
    again: fc.constantFrom(0, 1, 50),
    forget: fc.constantFrom(0, 1, 50),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const remembered = new Remembered();
      let expected: number[] = [];
      let last = 0;
      let now_ms = 0;
      for (const { add, again, forget } of steps) {
        for (let n = 0; n < add; n++) {
          remembered.add(++last, ++now_ms);
          expected.push(last);
        }
        for (const number of expected.filter((_, at) => at % 7 === 3).slice(0, again)) {
          remembered.withdraw(number);
          expected = expected.filter((other) => other !== number);
          if (number % 2 === 0) continue;
          remembered.add(number, ++now_ms);
          expected.push(number);
        }
        for (let n = 0; n < forget; n++) expect(remembered.next(Infinity)).toBe(expected.shift() ?? 0);
        expect(remembered.size).toBe(expected.length);
      }
    }),
    { seed: SEED, numRuns: 50 },
  );
});

test("an ended ticket is not forgotten before its time, and is at it", () => {
  const remembered = new Remembered();
  remembered.add(7, 1_000);
  expect(remembered.next(999)).toBe(0);
  expect(remembered.size).toBe(1);
  expect(remembered.next(1_000)).toBe(7);
  expect(remembered.next(1_000)).toBe(0);
});
