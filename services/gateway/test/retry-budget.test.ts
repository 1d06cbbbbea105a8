// Requests that are sent again are few among those that are sent: a fifth in ten seconds, and ten in any case.

import fc from "fast-check";
import { expect, test } from "vitest";
import { RetryBudget } from "../src/dispatch/retry-budget.ts";

/** How many may be sent again now, one after the other. */
function spend(budget: RetryBudget, now_ms: number): number {
  let count = 0;
  for (; budget.allows(now_ms) && count < 10_000; count++) budget.retried(now_ms);
  return count;
}

function send(budget: RetryBudget, count: number, now_ms: number): void {
  for (let n = 0; n < count; n++) budget.sent(now_ms);
}

test("a service with little to do is asked again ten times in ten seconds", () => {
  const budget = new RetryBudget();
  send(budget, 50, 5_500);
  expect(spend(budget, 5_500)).toBe(10);
  expect(spend(budget, 14_999)).toBe(0);
  expect(spend(budget, 15_000)).toBe(10);
});

test("one with much to do gets a fifth of it", () => {
  const budget = new RetryBudget();
  send(budget, 1_004, 0);
  expect(spend(budget, 9_000)).toBe(200);
  send(budget, 10, 9_000);
  expect(spend(budget, 9_000)).toBe(2);
  // What was sent ten seconds ago is forgotten, and what was sent again is not yet.
  expect(spend(budget, 10_000)).toBe(0);
  expect(spend(budget, 19_000)).toBe(10);
});

test("in no ten seconds are there more than a fifth, or ten", () => {
  const event = fc.record({ after_ms: fc.nat(3_000), sent: fc.nat(200) });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const budget = new RetryBudget();
      let now_ms = 0;
      const seen: { at: number; sent: number; retried: number }[] = [];
      for (const { after_ms, sent } of events) {
        now_ms += after_ms;
        send(budget, sent, now_ms);
        seen.push({ at: Math.floor(now_ms / 1_000), sent, retried: spend(budget, now_ms) });
        const window = seen.filter(({ at }) => at > Math.floor(now_ms / 1_000) - 10);
        const sum = (what: "sent" | "retried") => window.reduce((total, one) => total + one[what], 0);
        // Those that were sent again when more had been sent are still remembered.
        const before = seen.length > 1 ? sum("retried") - (seen.at(-1)?.retried ?? 0) : 0;
        expect(sum("retried")).toBe(Math.max(before, 10, Math.floor(sum("sent") / 5)));
      }
    }),
  );
});
