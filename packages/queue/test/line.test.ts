import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Line } from "../src/line.ts";
import { SEGMENT_TICKETS } from "../src/segment.ts";
import { SEED } from "./sample.ts";

/** A line as its queue uses it: whoever enters is present until forgotten. */
function enter(line: Line, number: number): void {
  const segment = line.extend(number);
  segment.used++;
  segment.present++;
  line.enter(number);
}

function leaveAndForget(line: Line, number: number): void {
  line.leave(number);
  line.segment(number)!.present--;
  line.release(number);
}

describe("places in the line", () => {
  test("are those of counting, whoever leaves from anywhere", () => {
    const step = fc.record({
      enter: fc.constantFrom(0, 1, 5, 300, 1_500),
      leave: fc.constantFrom(0, 1, 5, 300, 1_500),
      from: fc.constantFrom("front", "back", "anywhere"),
      at: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
        const line = new Line();
        const waiting: number[] = [];
        let last = 0;
        for (const { enter: entering, leave, from, at } of steps) {
          for (let n = 0; n < entering; n++) {
            enter(line, ++last);
            waiting.push(last);
          }
          for (let n = 0; n < leave && waiting.length > 0; n++) {
            const index =
              from === "front" ? 0 : from === "back" ? waiting.length - 1 : (at + n * 7919) % waiting.length;
            leaveAndForget(line, waiting.splice(index, 1)[0]!);
          }
          expect(line.waiting).toBe(waiting.length);
          expect(line.front()).toBe(waiting[0] ?? 0);
          for (let n = 0; n < 20 && waiting.length > 0; n++) {
            const index = (at + n * 104_729) % waiting.length;
            expect(line.ahead(waiting[index]!)).toBe(index);
          }
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  test("at the borders of words and segments count whoever is before the border", () => {
    const line = new Line();
    for (let number = 1; number <= 3 * SEGMENT_TICKETS; number++) enter(line, number);
    for (const border of [32, 64, SEGMENT_TICKETS, SEGMENT_TICKETS + 32, 2 * SEGMENT_TICKETS]) {
      for (const number of [border - 1, border, border + 1]) expect(line.ahead(number)).toBe(number - 1);
    }
    line.leave(SEGMENT_TICKETS);
    expect(line.ahead(SEGMENT_TICKETS - 1)).toBe(SEGMENT_TICKETS - 2);
    expect(line.ahead(SEGMENT_TICKETS + 1)).toBe(SEGMENT_TICKETS - 1);
  });

  test("are right at the highest numbers that there are", () => {
    const line = new Line();
    const last = 2 ** 32 - 1;
    for (let number = last - 1_500; number <= last; number++) enter(line, number);
    expect(line.front()).toBe(last - 1_500);
    expect(line.ahead(last)).toBe(1_500);
    for (let number = last - 1_500; number < last; number++) line.leave(number);
    expect(line.front()).toBe(last);
    expect(line.ahead(last)).toBe(0);
  });
});

describe("segments", () => {
  test("are let go when they are full and all in them is forgotten", () => {
    const line = new Line();
    for (let number = 1; number <= SEGMENT_TICKETS; number++) enter(line, number);
    for (let number = 1; number < SEGMENT_TICKETS; number++) leaveAndForget(line, number);
    expect(line.segments).toBe(1);
    leaveAndForget(line, SEGMENT_TICKETS);
    expect(line.segments).toBe(0);
    expect(line.segment(1)).toBeUndefined();
  });

  test("are kept while numbers in them are to come", () => {
    const line = new Line();
    enter(line, 1);
    leaveAndForget(line, 1);
    expect(line.segments).toBe(1);
    enter(line, 2);
    expect(line.front()).toBe(2);
  });

  test("are found after those before them were let go", () => {
    const line = new Line();
    const count = 40 * SEGMENT_TICKETS;
    for (let number = 1; number <= count; number++) enter(line, number);
    for (let number = 1; number <= count - 10; number++) leaveAndForget(line, number);
    expect(line.segments).toBe(1);
    expect(line.front()).toBe(count - 9);
    expect(line.ahead(count)).toBe(9);
    enter(line, count + 1);
    expect(line.ahead(count + 1)).toBe(10);
  });
});
