// What `usher queue history` prints.

import { SETTINGS_DEFAULTS, type Settings } from "@usher/queue";
import { expect, test } from "vitest";
import { historyText } from "../src/cli/queue/history.ts";

const BEFORE: Settings = { ...SETTINGS_DEFAULTS, kind: "pass", max_active: 1, max_wait_ms: 60_000 };

test("a notice as long as one may be is shown by its beginning, and leaves the table a table", () => {
  const after = { ...BEFORE, notice: "We are back at ten. ".repeat(25) };
  const change = { offset: 1, wall_ms: 0, log_time_ms: 0, revision: 2, actor: "key:ops", node: "node-1" };
  const lines = historyText({
    changes: [{ ...change, reason: "a long story, ".repeat(30), before: BEFORE, after }],
    earlier: 0,
  }).split("\n");
  expect(lines).toHaveLength(2);
  expect(lines[1]).toContain('notice "" → "We are back at ten. We are back');
  expect(lines[1]?.length).toBeLessThan(220);
});
