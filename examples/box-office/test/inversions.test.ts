import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Arrival,
  type Bounds,
  boundsOf,
  countInversions,
  type Holder,
  type Order,
} from "../src/burst/checker/inversions.ts";
import { busiest, percentile } from "../src/burst/checker/windows.ts";

const time = fc.integer({ min: 0, max: 60 });
const node = fc.integer({ min: 1, max: 3 });
const unsure = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** The definition's sentences, word by word, in quadratic time. */
function naive(arrivals: readonly Arrival[], holders: readonly Holder[], bounds: Bounds): Order {
  const higherBefore = (one: Arrival, among: readonly Arrival[]): number =>
    among.filter(({ arrived_ms, ticket }) => arrived_ms < one.arrived_ms && (ticket ?? 0) > (one.ticket ?? 0))
      .length;
  const own = ({ sender }: Arrival): readonly Arrival[] =>
    arrivals.filter((other) => other.sender === sender && other.taker === sender);
  const passed = (one: Arrival): { by_ms: number; holder: Holder }[] =>
    holders
      .filter(({ ticketed_ms, served_ms }) => ticketed_ms < one.sent_ms! && one.arrived_ms < served_ms)
      .map((holder) => ({
        by_ms: Math.min(one.sent_ms! - holder.ticketed_ms, holder.served_ms - one.arrived_ms),
        holder,
      }));
  const ticketed = arrivals.filter(({ ticket }) => ticket !== null);
  const inOwn = ticketed.filter(({ sender, taker }) => sender === taker);
  const straight = arrivals.filter(({ ticket, sent_ms }) => ticket === null && sent_ms !== undefined);
  const late = ticketed.filter(
    (one) =>
      higherBefore(one, arrivals) > bounds.overall ||
      (inOwn.includes(one) && higherBefore(one, own(one)) > bounds.own),
  );
  const passing = straight.filter((one) =>
    passed(one).some(({ by_ms, holder }) => holder.node === one.sender || by_ms > bounds.lead_ms),
  );
  return {
    inversions: late.length + passing.length,
    mostAheadOwn: Math.max(0, ...inOwn.map((one) => higherBefore(one, own(one)))),
    mostAhead: Math.max(0, ...ticketed.map((one) => higherBefore(one, arrivals))),
    longestLead_ms: Math.max(0, ...straight.flatMap((one) => passed(one).map(({ by_ms }) => by_ms))),
  };
}

test("inversions are what their definition says", () => {
  const arrivals = fc.uniqueArray(
    fc.record({
      arrived_ms: time,
      ticket: fc.option(fc.integer({ min: 1, max: 60 })),
      sent_ms: unsure(time),
      sender: node,
      taker: unsure(node),
    }),
    { selector: ({ arrived_ms }) => arrived_ms, maxLength: 40 },
  );
  const holders = fc.array(fc.record({ ticketed_ms: time, served_ms: time, node: unsure(node) }), {
    maxLength: 10,
  });
  const bounds = fc.record({ own: fc.nat(3), overall: fc.nat(8), lead_ms: fc.nat(20) });
  fc.assert(
    fc.property(arrivals, holders, bounds, (come, hold, bound) => {
      expect(countInversions(come, hold, bound)).toEqual(naive(come, hold, bound));
    }),
    { numRuns: 500 },
  );
});

test("one node has the whole limit's slack, and several share it, with the half second and the lag of the others", () => {
  const limit = { rate_per_second: 200, max_active: 40 };
  expect(boundsOf(limit)).toEqual({ own: 80, overall: 80, lead_ms: 0 });
  expect(boundsOf({ ...limit, nodes: 2 })).toEqual({ own: 40, overall: 80 + 150, lead_ms: 1_000 });
  expect(boundsOf({ ...limit, nodes: 4 })).toEqual({ own: 20, overall: 80 + 225, lead_ms: 1_000 });
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
