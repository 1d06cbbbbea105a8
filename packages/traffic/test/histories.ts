// Random histories of a meter, and what has to hold in them. `check` throws where it does not; the tests run it on
// the meter as it is, and on meters with a planted fault, where it has to throw.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Limit, Meter, Permit } from "../src/index.ts";
import { NaiveBucket } from "./naive.ts";

export type MeterLike = Pick<Meter, "take" | "room" | "nextToken_ms" | "configure" | "inFlight">;

type Step =
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "take" }
  | { readonly kind: "done"; readonly which: number; readonly twice: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: "take" } as const) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.oneof(fc.nat(30), fc.nat(3_000)) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("done" as const), which: fc.nat(), twice: fc.boolean() }),
  },
);

export const limit: fc.Arbitrary<Required<Limit>> = fc
  .record({
    rate_thousandths: fc.oneof(fc.constant(0), fc.nat(5_000), fc.nat(200_000), fc.nat(1_000_000_000)),
    nodes: fc.integer({ min: 1, max: 7 }),
    room: fc.nat(12),
    rest: fc.nat(),
    reserved: fc.nat(3),
  })
  .map(({ rate_thousandths, nodes, room, rest, reserved }) => ({
    rate_thousandths,
    nodes,
    max_active: room === 0 ? 0 : room * nodes + (rest % nodes),
    reserved,
  }));

/** Everything that is promised of one limit: takes succeed exactly when the naive model allows them and a slot is
 * free, `room` and `nextToken_ms` tell the truth, and slots are freed once. */
export function check(make: (limit: Limit) => MeterLike, runs = 300): void {
  const history = fc.record({
    limit,
    steps: fc.array(step, { maxLength: 120, size: "max" }),
    start: fc.nat(1_000_000),
  });
  fc.assert(
    fc.property(history, ({ limit, steps, start }) => run(make(limit), limit, steps, start)),
    { numRuns: runs, seed: 20_261_122 },
  );
}

function run(meter: MeterLike, limit: Required<Limit>, steps: readonly Step[], start: number): void {
  const naive = new NaiveBucket(limit.rate_thousandths, limit.nodes);
  const slots =
    limit.max_active === 0 ? Number.POSITIVE_INFINITY : Math.floor(limit.max_active / limit.nodes);
  const open: Permit[] = [];
  let now = start;
  for (const step of steps) {
    if (step.kind === "wait") now += step.ms;
    else if (step.kind === "done") finish(open, step.which, step.twice);
    else {
      const free = open.length + limit.reserved < slots;
      const allowed = free && naive.allows(now);
      assert.equal(meter.room(now) > 0, allowed, "room says whether a take will succeed");
      const next = meter.nextToken_ms(now);
      if (!free) assert.equal(next, Number.POSITIVE_INFINITY);
      else if (allowed) assert.equal(next, now);
      else {
        assert.ok(naive.allows(next), "at nextToken_ms there is a token");
        assert.ok(!naive.allows(next - 1), "and none a millisecond before");
      }
      const permit = meter.take(now);
      assert.equal(
        permit !== undefined,
        allowed,
        "a take succeeds exactly when there are a token and a slot",
      );
      if (permit !== undefined) {
        open.push(permit);
        naive.takes.push({ at: now });
      }
    }
    assert.equal(meter.inFlight, open.length);
    assert.ok(meter.inFlight + limit.reserved <= slots || open.length === 0, "in flight never above room");
  }
}

function finish(open: Permit[], which: number, twice: boolean): void {
  if (open.length === 0) return;
  const [permit] = open.splice(which % open.length, 1);
  permit?.done();
  if (twice) permit?.done();
}
