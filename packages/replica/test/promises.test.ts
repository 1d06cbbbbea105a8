// Whatever goes wrong, what callers are told is true: I1 to I4 over random failures.

import { describe, expect, it } from "vitest";
import { Replica } from "../src/index.ts";
import { type Aftermath, crowd } from "./support/crowd.ts";
import { PROMISES } from "./support/promises.ts";
import { stopClocks } from "./support/time.ts";

stopClocks();

const SEEDS = Array.from({ length: 30 }, (_, n) => n + 1);
const histories: Aftermath[] = [];

describe("a crowd that asks while everything goes wrong", () => {
  it.each(SEEDS)("is told nothing but the truth (seed %i)", async (seed) => {
    const after = await crowd({ Replica }, seed);
    histories.push(after);
    for (const [promise, check] of Object.entries(PROMISES)) expect(check(after), promise).toBeUndefined();
  });

  it("met every kind of end, and many of each", () => {
    const told = histories.flatMap(({ calls }) => calls.map(({ told }) => told));
    const counts = Object.groupBy(told, ({ end }) => end);
    for (const end of ["ok", "refused", "unknown"] as const) expect(counts[end]!.length).toBeGreaterThan(50);
  });
});
