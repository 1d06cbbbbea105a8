import { describe, expect, test } from "vitest";
import { Pace } from "../src/pace.ts";

/** Admits at an even pace, one at a time, from a time on. */
function admitEvenly(pace: Pace, perSecond: number, from_ms: number, to_ms: number): void {
  for (let now_ms = from_ms; now_ms < to_ms; now_ms += 1_000 / perSecond) pace.admitted(now_ms);
}

describe("the pace", () => {
  test("is not told before a second was measured, nor while nobody was admitted", () => {
    const pace = new Pace();
    expect(pace.measured(5_000)?.perSecond).toBeUndefined();
    pace.begin(10_000);
    pace.admitted(10_500);
    expect(pace.measured(10_999)?.perSecond).toBeUndefined();
    expect(pace.measured(12_000)?.perSecond).toBe(0.5);
    const idle = new Pace();
    idle.begin(0);
    expect(idle.measured(20_000)).toBeUndefined();
  });

  test("of an even stream is its rate, from the first second to after the window", () => {
    const pace = new Pace();
    pace.begin(5_000);
    admitEvenly(pace, 20, 5_000, 65_000);
    expect(pace.measured(65_000)?.perSecond).toBeCloseTo(20, 0);
  });

  test("forgets what is more than half a minute ago", () => {
    const pace = new Pace();
    pace.begin(0);
    admitEvenly(pace, 100, 0, 10_000);
    admitEvenly(pace, 2, 10_000, 60_000);
    expect(pace.measured(60_000)?.perSecond).toBeCloseTo(2, 0);
    expect(pace.measured(200_000)?.perSecond).toBeUndefined();
  });

  test("falls while nobody is admitted", () => {
    const pace = new Pace();
    pace.begin(0);
    admitEvenly(pace, 10, 0, 10_000);
    expect(pace.measured(10_000)?.perSecond).toBeCloseTo(10, 0);
    expect(pace.measured(20_000)?.perSecond).toBeCloseTo(5, 0);
  });

  test("begins anew when somebody waits again", () => {
    const pace = new Pace();
    pace.begin(0);
    admitEvenly(pace, 100, 0, 10_000);
    pace.begin(10_100);
    expect(pace.measured(12_000)?.perSecond).toBeUndefined();
    admitEvenly(pace, 4, 10_100, 14_100);
    expect(pace.measured(14_100)?.perSecond).toBeCloseTo(4, 0);
  });
});

describe("how evenly admissions come", () => {
  function dispersionOf(times_ms: readonly number[], now_ms: number): number {
    const pace = new Pace();
    pace.begin(0);
    for (const time_ms of times_ms) pace.admitted(time_ms);
    return pace.measured(now_ms)!.dispersion;
  }
  const seconds = Array.from({ length: 30 }, (_, at) => at * 1_000);

  test("is close to 0 where they are the same every second, and the size of a burst where they come in bursts", () => {
    const even = seconds.flatMap((second) => Array<number>(10).fill(second));
    expect(dispersionOf(even, 30_000)).toBeLessThan(0.6);
    const bursts = seconds
      .filter((_, at) => at % 7 === 3)
      .flatMap((second) => Array<number>(70).fill(second));
    expect(dispersionOf(bursts, 30_000)).toBeGreaterThan(30);
  });

  test("counts waves that are even from one second to the next", () => {
    const waves = seconds.flatMap((second, at) => Array<number>(at % 20 < 10 ? 20 : 1).fill(second));
    const shuffled = seconds.flatMap((second, at) => Array<number>(at % 2 === 0 ? 20 : 1).fill(second));
    expect(dispersionOf(waves, 30_000)).toBeGreaterThan(2 * dispersionOf(shuffled, 30_000));
  });

  test("is that of chance while too little was seen to tell", () => {
    expect(dispersionOf([100, 200], 1_500)).toBe(1);
  });
});
