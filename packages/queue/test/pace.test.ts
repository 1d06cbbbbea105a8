import { describe, expect, test } from "vitest";
import { waitAt } from "../src/index.ts";
import { Pace } from "../src/pace.ts";

/** Admits at an even pace, one at a time, from a time on. */
function admitEvenly(pace: Pace, perSecond: number, from_ms: number, to_ms: number): void {
  for (let now_ms = from_ms; now_ms < to_ms; now_ms += 1_000 / perSecond) pace.admitted(now_ms);
}

describe("the pace", () => {
  test("is not told before a second was measured, nor while nobody was admitted", () => {
    const pace = new Pace();
    expect(pace.perSecond(5_000)).toBeUndefined();
    pace.begin(10_000);
    pace.admitted(10_500);
    expect(pace.perSecond(10_999)).toBeUndefined();
    expect(pace.perSecond(12_000)).toBe(0.5);
    const idle = new Pace();
    idle.begin(0);
    expect(idle.perSecond(20_000)).toBeUndefined();
  });

  test("of an even stream is its rate, from the first second to after the window", () => {
    const pace = new Pace();
    pace.begin(5_000);
    admitEvenly(pace, 20, 5_000, 65_000);
    expect(pace.perSecond(65_000)).toBeCloseTo(20, 0);
  });

  test("forgets what is more than half a minute ago", () => {
    const pace = new Pace();
    pace.begin(0);
    admitEvenly(pace, 100, 0, 10_000);
    admitEvenly(pace, 2, 10_000, 60_000);
    expect(pace.perSecond(60_000)).toBeCloseTo(2, 0);
    expect(pace.perSecond(200_000)).toBeUndefined();
  });

  test("falls while nobody is admitted", () => {
    const pace = new Pace();
    pace.begin(0);
    admitEvenly(pace, 10, 0, 10_000);
    expect(pace.perSecond(10_000)).toBeCloseTo(10, 0);
    expect(pace.perSecond(20_000)).toBeCloseTo(5, 0);
  });

  test("begins anew when somebody waits again", () => {
    const pace = new Pace();
    pace.begin(0);
    admitEvenly(pace, 100, 0, 10_000);
    pace.begin(10_100);
    expect(pace.perSecond(12_000)).toBeUndefined();
    admitEvenly(pace, 4, 10_100, 14_100);
    expect(pace.perSecond(14_100)).toBeCloseTo(4, 0);
  });
});

describe("the wait at a place", () => {
  test("is the place over the pace, and at most every tenth waits longer than p90", () => {
    expect(waitAt(100, 10)).toEqual({ p50_ms: 10_000, p90_ms: expect.closeTo(11_282, 0) });
    expect(waitAt(1, 0.5).p50_ms).toBe(2_000);
  });
});
