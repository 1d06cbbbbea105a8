// What thousands do who lose the same node at the same moment, and what reaches a caller from nodes that differ.

import fc from "fast-check";
import { expect, it } from "vitest";
import { RetryBudget } from "../src/calls/budget.ts";
import { backoff_ms, PAUSE_MS_MAX, spread_ms } from "../src/calls/pause.ts";
import { FOLLOW_TIMINGS } from "../src/following/follow.ts";
import { hasEnded, later, type Status } from "../src/status.ts";

/** How many come in each second, and in each tenth of one. */
function counts(times_ms: readonly number[], bin_ms: number): number[] {
  const bins: number[] = [];
  for (const ms of times_ms) bins[Math.floor(ms / bin_ms)] = (bins[Math.floor(ms / bin_ms)] ?? 0) + 1;
  return Array.from(bins, (count = 0) => count);
}

it("5,000 whose streams break at once come back at most 3,000 in a second, and no tenth of one sees more than 400", () => {
  const times_ms = Array.from({ length: 5_000 }, () => backoff_ms(1, 0, FOLLOW_TIMINGS.reconnect));
  const seconds = counts(times_ms, 1_000);
  expect(seconds.length).toBe(2);
  expect(Math.max(...seconds)).toBeLessThan(3_000);
  expect(Math.max(...counts(times_ms, 100))).toBeLessThan(400);
});

it("the longer nobody answers, the fewer come in a second, down to one in fifteen", () => {
  const most = [1, 2, 3, 10].map((tries) => {
    const times_ms = Array.from({ length: 5_000 }, () => backoff_ms(tries, 0, FOLLOW_TIMINGS.reconnect));
    return Math.max(...counts(times_ms, 1_000));
  });
  expect(most).toEqual(most.toSorted((a, b) => b - a));
  expect(most.at(-1)).toBeLessThan(5_000 / 10);
});

it("a pause is never shorter than the server asks for, nor longer than that and the longest", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.nat(60_000),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (tries, after, chance) => {
        const ms = backoff_ms(tries, after, undefined, () => chance);
        expect(ms).toBeGreaterThanOrEqual(after);
        expect(ms).toBeLessThanOrEqual(after + PAUSE_MS_MAX);
      },
    ),
  );
  expect([spread_ms(1_000, () => 0), spread_ms(1_000, () => 1)]).toEqual([900, 1_100]);
});

it("of a hundred calls that all fail, ten are made again", () => {
  const budget = new RetryBudget();
  expect(Array.from({ length: 100 }, () => budget.spend()).filter(Boolean)).toHaveLength(10);
  for (let call = 0; call < 25; call++) budget.earn();
  expect([budget.spend(), budget.spend(), budget.spend()]).toEqual([true, true, false]);
});

it("what reaches the caller never goes back, whatever the nodes say in whatever order", () => {
  const states = fc.constantFrom<Status["state"]>(
    "waiting",
    "admitted",
    "completed",
    "left",
    "expired",
    "other",
  );
  const status = fc.record({ state: states, position: fc.nat(20), asOf: fc.nat(50).map(String) }).map(
    ({ state, position, asOf }): Status => ({
      ...{ id: "q:1:1", queue: "q", number: 1, stale: false, state, asOf },
      ...(state === "waiting" && { position: position + 1 }),
      ...(state === "admitted" && { position: 0 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(status), (said) => {
      let last: Status | undefined;
      for (const now of said) {
        const told = later(last, now);
        if (last && hasEnded(last)) expect(hasEnded(told)).toBe(true);
        if (last?.position !== undefined && told.position !== undefined)
          expect(told.position).toBeLessThanOrEqual(last.position);
        last = told;
      }
    }),
  );
});
