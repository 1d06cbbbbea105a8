// Each check is shown to fail: a fault is planted in the shipped source, and what should notice it does. The table of
// faults is `faults.ts`.

import { describe, expect, test } from "vitest";
import { planted } from "../../../test/support/planted.ts";
import type { LogRecord } from "../src/index.ts";
import { compare } from "./comparison.ts";
import { FAULTS, type Fault } from "./faults.ts";
import { history, longHistory, quietHistory } from "./history.ts";
import { INVARIANTS } from "./invariants.ts";
import { sampleOf } from "./sample.ts";
import { type FoldClass, traceOf } from "./trace.ts";

const HISTORIES = [...sampleOf(history, 400), ...sampleOf(quietHistory, 40), ...sampleOf(longHistory, 20)];

function isCaught(FaultyFold: FoldClass, by: Fault["caughtBy"], records: readonly LogRecord[]): boolean {
  if (by !== "reference") return INVARIANTS[by].check(traceOf(FaultyFold, records)) !== undefined;
  try {
    compare(FaultyFold, records, 16);
    return false;
  } catch {
    return true;
  }
}

describe("a model that", () => {
  for (const fault of FAULTS) {
    test(`${fault.does} is caught by ${fault.caughtBy}`, async () => {
      const { Fold } = await planted<typeof import("../src/index.ts")>("packages/queue", fault);
      expect(HISTORIES.some((records) => isCaught(Fold, fault.caughtBy, records))).toBe(true);
    });
  }
});

test("every invariant has a fault that it catches", () => {
  const caught = new Set(FAULTS.map(({ caughtBy }) => caughtBy));
  expect([...caught].sort()).toEqual([...Object.keys(INVARIANTS), "reference"].sort());
});

test("a fault whose place is no longer in the source is told, not passed over", async () => {
  const gone = { file: "queue.ts", find: "this text is not there", replace: "" };
  await expect(planted<typeof import("../src/index.ts")>("packages/queue", gone)).rejects.toThrow("0 times");
});
