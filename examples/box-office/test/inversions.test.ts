import fc from "fast-check";
import { expect, test } from "vitest";
import { type Arrival, countInversions, type Holder } from "../src/burst/checker/inversions.ts";
import { busiest, percentile } from "../src/burst/checker/windows.ts";

const time = fc.integer({ min: 0, max: 60 });

/** The two sentences, word by word, in quadratic time. */
function naive(arrivals: readonly Arrival[], holders: readonly Holder[], slack: number): number {
  return arrivals.filter(({ arrived_ms, ticket, sent_ms }) => {
    if (ticket !== null) {
      const before = arrivals.filter((other) => other.arrived_ms < arrived_ms && other.ticket !== null);
      return before.filter((other) => other.ticket! > ticket).length > slack;
    }
    const ahead = holders.filter((holder) => sent_ms !== undefined && holder.ticketed_ms < sent_ms);
    return ahead.some((holder) => holder.served_ms > arrived_ms);
  }).length;
}

test("inversions are what their definition says", () => {
  const arrivals = fc
    .uniqueArray(
      fc.record({
        arrived_ms: time,
        ticket: fc.option(fc.integer({ min: 1, max: 60 })),
        sent_ms: fc.option(time, { nil: undefined }),
      }),
      { selector: ({ arrived_ms }) => arrived_ms, maxLength: 40 },
    )
    .filter((all) => new Set(all.flatMap(({ ticket }) => ticket ?? [])).size > 0);
  const holders = fc.array(fc.record({ ticketed_ms: time, served_ms: time }), { maxLength: 10 });
  fc.assert(
    fc.property(arrivals, holders, fc.integer({ min: 0, max: 5 }), (come, hold, slack) => {
      expect(countInversions(come, hold, slack)).toBe(naive(come, hold, slack));
    }),
    { numRuns: 500 },
  );
});

test("the busiest stretch is the most that any stretch holds", () => {
  fc.assert(
    fc.property(fc.array(time), fc.integer({ min: 1, max: 20 }), (times, length) => {
      const counts = times.map((from) => times.filter((at) => at >= from && at < from + length).length);
      expect(busiest(times, length)).toBe(Math.max(0, ...counts));
    }),
  );
});

test("a percentile is the smallest value that so many are at or below", () => {
  expect(percentile([], 0.5)).toBeUndefined();
  expect(percentile([3, 1, 2], 0.5)).toBe(2);
  expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
  expect(percentile([1, 2, 3, 4], 0.99)).toBe(4);
  expect(percentile([7], 0)).toBe(7);
});
