// Estimates against what then happens: over admissions that come evenly, by chance, and in bursts.

import { describe, expect, test } from "vitest";
import { random } from "../../../test/support/random.ts";
import { waitAt } from "../src/index.ts";
import { Pace } from "../src/pace.ts";
import { Log } from "./log.ts";

const SECOND = 1_000;
const RUNS = 400;

type Next = () => number;

/** Between two admissions, in ms, at so many a second. */
const PROCESSES: Readonly<Record<string, (perSecond: number, next: Next) => Next>> = {
  evenly: (perSecond) => () => SECOND / perSecond,
  "almost evenly": (perSecond, next) => () =>
    [1, 2, 3, 4].reduce((sum) => sum + exponential(next, SECOND / perSecond / 4), 0),
  "by chance": (perSecond, next) => () => exponential(next, SECOND / perSecond),
  "five at a time": (perSecond, next) => {
    let left = 0;
    return () => {
      left = left === 0 ? 4 : left - 1;
      return left === 4 ? exponential(next, (5 * SECOND) / perSecond) : 0;
    };
  },
  "in bursts of any length": (perSecond, next) => () =>
    next() < 0.8 ? 0 : exponential(next, (5 * SECOND) / perSecond),
};

function exponential(next: Next, mean: number): number {
  return -Math.log(1 - next()) * mean;
}

interface Covered {
  p50: number;
  p90: number;
}

/** The parts of runs in which a place was reached within its estimates, made when so much was measured. */
function covered(process: string, perSecond: number, measured_ms: number, position: number): Covered {
  const next = random(2026);
  const within: Covered = { p50: 0, p90: 0 };
  for (let run = 0; run < RUNS; run++) {
    const gap = PROCESSES[process]!(perSecond, next);
    const pace = new Pace();
    const from_ms = Math.floor(next() * 5 * SECOND);
    const now_ms = from_ms + measured_ms;
    pace.begin(from_ms);
    let at_ms = from_ms + gap() * next();
    for (; at_ms <= now_ms; at_ms += gap()) pace.admitted(Math.floor(at_ms));
    for (let before = 1; before < position; before++) at_ms += gap();
    const { p50_ms, p90_ms } = waitAt(position, pace.measured(now_ms)!);
    // What came before now_ms is told in whole ms.
    if (at_ms - now_ms <= p50_ms + 1) within.p50 += 1 / RUNS;
    if (at_ms - now_ms <= p90_ms + 1) within.p90 += 1 / RUNS;
  }
  return within;
}

describe("of those who wait, nine of ten wait no longer than p90,", () => {
  for (const [process, [least, most]] of Object.entries({
    "by chance": [0.84, 0.96],
    "five at a time": [0.8, 0.96],
    "in bursts of any length": [0.7, 0.98],
    "almost evenly": [0.9, 1],
    evenly: [0.95, 1],
  })) {
    test(`where they are admitted ${process}`, () => {
      for (const perSecond of [3, 20, 100]) {
        for (const position of [1, 10, 100, 1_000]) {
          const where = `place ${position} at ${perSecond}/s`;
          const { p50, p90 } = covered(process, perSecond, 30 * SECOND, position);
          expect(p90, where).toBeGreaterThanOrEqual(least!);
          expect(p90, where).toBeLessThanOrEqual(most!);
          expect(p50, where).toBeLessThan(p90);
        }
      }
    });
  }

  test("also a few seconds after the line began, when the pace itself is uncertain", () => {
    for (const perSecond of [3, 20, 100]) {
      for (const position of [1, 100, 1_000]) {
        const { p90 } = covered("by chance", perSecond, 3 * SECOND, position);
        expect(p90, `place ${position} at ${perSecond}/s`).toBeGreaterThan(0.84);
      }
    }
  });

  test("which a spread as of a known pace would not reach then", () => {
    const next = random(7);
    let within = 0;
    for (let run = 0; run < RUNS; run++) {
      const pace = new Pace();
      pace.begin(0);
      let at_ms = 0;
      for (; at_ms <= 3 * SECOND; at_ms += exponential(next, 50)) pace.admitted(Math.floor(at_ms));
      for (let before = 1; before < 1_000; before++) at_ms += exponential(next, 50);
      const { perSecond } = pace.measured(3 * SECOND)!;
      const plain_ms = ((1_000 + 1.2816 * Math.sqrt(1_000)) * SECOND) / perSecond;
      if (at_ms - 3 * SECOND <= plain_ms) within++;
    }
    expect(within / RUNS).toBeLessThan(0.75);
  });
});

describe("the wait at a place", () => {
  const measured = { perSecond: 10, admitted: 300, dispersion: 1 };

  test("grows with the place, and its p90 is above its p50", () => {
    let last = 0;
    for (let position = 1; position <= 2_000; position++) {
      const { p50_ms, p90_ms } = waitAt(position, measured);
      expect(p50_ms).toBeGreaterThan(last);
      expect(p90_ms).toBeGreaterThan(p50_ms);
      last = p50_ms;
    }
  });

  test("is finite and above nothing, whatever was measured", () => {
    for (const dispersion of [0.01, 1, 50, 100_000]) {
      for (const admitted of [1, 3, 1_000_000]) {
        for (const position of [1, 7, 4_000_000_000]) {
          const { p50_ms, p90_ms } = waitAt(position, { perSecond: 0.03, admitted, dispersion });
          expect(p50_ms).toBeGreaterThan(0);
          expect(p90_ms).toBeGreaterThan(p50_ms);
          expect(p90_ms).toBeLessThan(Number.MAX_VALUE);
        }
      }
    }
  });
});

describe("a queue tells how long one waits", () => {
  /** Log time passes as a busy timekeeper keeps it. */
  function pass(log: Log, seconds: number): void {
    for (let n = 0; n < seconds * 20; n++) log.sleep(50);
  }

  /** Ten a second are admitted, and five hundred wait. */
  function line(): Log {
    const log = new Log({ kind: "pass", rate_thousandths: 10_000, max_active: 0 });
    for (let n = 0; n < 500; n++) log.issue();
    pass(log, 10);
    return log;
  }

  test("by its measured pace; to a newcomer, behind all who wait", () => {
    const { queue } = line();
    expect(queue.wait(100)!.p50_ms / SECOND).toBeCloseTo(10, 0);
    const behindAll = queue.wait(queue.waiting + 1)!.p50_ms;
    expect(queue.newcomerWait_ms()).toBe(behindAll);
    expect(queue.newcomerWait_ms(50)).toBe(queue.wait(queue.waiting + 51)!.p50_ms);
  });

  test("but not while it is paused, nor by what was measured in the pause, or at another limit", () => {
    const log = line();
    const settings = { kind: "pass", rate_thousandths: 10_000, max_active: 0 } as const;
    log.configure({ ...settings, mode: "paused" });
    expect([log.queue.wait(5), log.queue.newcomerWait_ms()]).toEqual([undefined, undefined]);
    pass(log, 20);
    log.configure(settings);
    expect(log.queue.wait(5)).toBeUndefined();
    pass(log, 5);
    expect(log.queue.wait(50)!.p50_ms / SECOND).toBeCloseTo(5, 0);
    log.configure({ ...settings, rate_thousandths: 50_000 });
    expect(log.queue.wait(5)).toBeUndefined();
    pass(log, 3);
    expect(log.queue.wait(50)!.p50_ms / SECOND).toBeCloseTo(1, 0);
    log.configure({ ...settings, rate_thousandths: 50_000, notice: "soon" });
    expect(log.queue.wait(5)).toBeDefined();
  });

  test("as nothing to somebody who would be admitted at once, and not at all where nothing was measured", () => {
    const log = new Log({ kind: "pass", max_active: 1 });
    expect(log.queue.newcomerWait_ms()).toBe(0);
    expect(log.queue.newcomerWait_ms(1)).toBeUndefined();
    log.issue();
    expect(log.queue.newcomerWait_ms()).toBeUndefined();
  });
});
