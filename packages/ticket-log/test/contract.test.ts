// The contract suite notices faults: each is planted in a log that is otherwise right.

import { describe, expect, it } from "vitest";
import { faults } from "./contract/faults.ts";
import { harnessWith } from "./contract/planting.ts";
import { logChecks, runCheck } from "./contract.ts";
import { sqliteHarness } from "./sqlite-harness.ts";

describe("the contract suite", () => {
  for (const fault of faults) {
    it(`notices a log that ${fault.name}`, async () => {
      for (const name of fault.caughtBy) {
        const check = logChecks.find((each) => each.name === name);
        if (!check) throw new Error(`no check is named "${name}"`);
        await expect(runCheck(check, harnessWith(fault, sqliteHarness)), name).rejects.toThrow();
      }
    });
  }

  it("passes a log with nothing planted in it, through the same wrapping", async () => {
    const faultless = { name: "is right", caughtBy: [] };
    for (const check of logChecks) await runCheck(check, harnessWith(faultless, sqliteHarness));
  });

  it("has no check that no planted fault can fail", () => {
    const failing = new Set(faults.flatMap(({ caughtBy }) => caughtBy));
    expect(logChecks.map(({ name }) => name).filter((name) => !failing.has(name))).toEqual([]);
  });
});
