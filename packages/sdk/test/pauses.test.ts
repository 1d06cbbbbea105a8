// What thousands do who lose the same node at the same moment, and what reaches a caller from nodes that differ.

import fc from "fast-check";
import { expect, it } from "vitest";
import { RetryBudget } from "../src/calls/budget.ts";
import { backoff_ms, PAUSE_MS_MAX, patience_ms, spread_ms } from "../src/calls/pause.ts";
import { UsherError } from "../src/errors.ts";
import { FOLLOW_TIMINGS, follow } from "../src/following/follow.ts";
import type { Watched } from "../src/rpc/rpc.ts";
import { hasEnded, later, type Status } from "../src/status.ts";
import { MovedClock } from "../src/testing/clock.ts";

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

/** A node that many watch, by a clock that is moved: when it was asked, and what breaks it. */
class WatchedNode {
  readonly clock = new MovedClock();
  readonly asked_ms: number[] = [];
  isUp = true;
  watching = 0;
  #cut = Promise.withResolvers<never>();

  async *stream(): AsyncGenerator<Watched> {
    this.asked_ms.push(this.clock.now_ms());
    if (!this.isUp) throw new UsherError("unreachable", "it is down");
    this.watching++;
    try {
      const cut = this.#cut.promise;
      yield { status: { id: "q:1:1", queue: "q", number: 1, state: "waiting", stale: false, asOf: "1" } };
      await cut;
    } finally {
      this.watching--;
    }
  }

  async ask(): Promise<Status> {
    throw new UsherError("internal", "no one was to ask");
  }

  fall(): void {
    this.isUp = false;
    const { reject } = this.#cut;
    this.#cut = Promise.withResolvers<never>();
    this.#cut.promise.catch(() => {});
    reject(new UsherError("unreachable", "it was killed"));
  }
}

it("3,000 whose node is gone for ten seconds ask it less than 2,300 times in any second, less than 1,000 after five, and are all back in the end", async () => {
  const node = new WatchedNode();
  const { clock } = node;
  const end = new AbortController();
  const watches = Array.from({ length: 3_000 }, async () => {
    for await (const _ of follow(node, { clock, signal: end.signal }));
  });
  await clock.advance(FOLLOW_TIMINGS.short + 1);
  expect([node.watching, node.asked_ms.length]).toEqual([3_000, 3_000]);
  const fell_ms = clock.now_ms();
  node.fall();
  await clock.advance(10_000);
  expect(node.watching).toBe(0);
  node.isUp = true;
  await clock.advance(PAUSE_MS_MAX);
  const again_ms = node.asked_ms.slice(3_000).map((ms) => ms - fell_ms);
  const seconds = counts(again_ms, 1_000);
  console.log(`asked again, second by second: ${seconds.join(" ")}`);
  expect(node.watching).toBe(3_000);
  expect(Math.max(...seconds)).toBeLessThan(2_300);
  expect(Math.max(...seconds.slice(5))).toBeLessThan(1_000);
  expect(again_ms.length).toBeLessThan(3_000 * 6);
  end.abort();
  node.fall();
  for (const { status } of await Promise.allSettled(watches)) expect(status).toBe("rejected");
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

it("of a thousand watches of one client, those beyond the budget come back spread over the longest pause too, and never before the server's", () => {
  const budget = new RetryBudget();
  const times_ms = Array.from({ length: 1_000 }, () =>
    patience_ms(budget, 1, 60_000, FOLLOW_TIMINGS.reconnect),
  );
  expect(Math.min(...times_ms)).toBeGreaterThanOrEqual(60_000);
  const seconds = counts(
    times_ms.map((ms) => ms - 60_000),
    1_000,
  );
  expect(seconds.length).toBe(PAUSE_MS_MAX / 1_000);
  expect(Math.max(...seconds)).toBeLessThan(150);
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
