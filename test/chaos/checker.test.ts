// The checker notices what is wrong: each check is shown a run that is good but for one thing. The run is real (two
// nodes on a log in memory, under the load of the fault runs); what is wrong is planted in what it left, or in the
// model that its log is read with.

import { beforeAll, describe, expect, test } from "vitest";
import { planted } from "../support/planted.ts";
import { CHECKS, type CheckName, check, type Evidence } from "./checker/checker.ts";
import type { FoldClass } from "./checker/folded.ts";
import type { HistoryLine, Op } from "./history/lines.ts";
import { FAULTS } from "./planting/evidence.ts";
import { MODEL_FAULTS } from "./planting/model.ts";
import { runInMemory } from "./scene/memory-run.ts";

const OPS: readonly Op[] = [
  ...(["request", "poll", "collect", "issue", "look", "watch", "leave", "complete", "admit"] as const),
  ...(["count", "state"] as const),
];

let good: Evidence;
beforeAll(async () => {
  good = await runInMemory(4, 9_000);
});

test("a good run is found good, and has something of everything", () => {
  const { violations, figures } = check(good);
  expect(Object.fromEntries(violations)).toEqual({});
  expect([...figures.told.keys()].sort()).toEqual([...OPS].sort());
  expect(figures.arrivals).toBeGreaterThan(20);
  expect(figures.admissions).toBeGreaterThan(20);
});

test("a record that is there twice has no effect, and is no fault", () => {
  const log = good.log.flatMap((entry) => [entry, entry]).map((entry, offset) => ({ ...entry, offset }));
  const { violations } = check({ ...good, history: good.history.map(twiceAsFar), log, earlier: [] });
  expect(Object.fromEntries(violations)).toEqual({});
});

describe("the checker notices in what a run left", () => {
  test.each(FAULTS)("$by: $what", ({ by, plant }) => {
    expect([...check(plant(good)).violations.keys()]).toContain(by);
  });
});

describe("the checker notices a model that", () => {
  test.each(MODEL_FAULTS)("$by: $does", async ({ by, does: _, ...change }) => {
    const { Fold } = await planted<{ Fold: FoldClass }>("packages/queue", change);
    expect([...check(good, Fold).violations.keys()]).toContain(by);
  });
});

test("every check is shown to notice something", () => {
  const shown = new Set<string>([...FAULTS, ...MODEL_FAULTS].map(({ by }) => by));
  expect((Object.keys(CHECKS) as CheckName[]).filter((name) => !shown.has(name))).toEqual([]);
});

/** A line of a history whose log has everything twice. */
function twiceAsFar(line: HistoryLine): HistoryLine {
  const doubled = <Told extends { readonly as_of: number }>(told: Told): Told => ({
    ...told,
    as_of: 2 * told.as_of,
  });
  if (line.kind === "noted") return line;
  if (line.kind === "began") return { ...line, as_of: 2 * (line.as_of ?? 0) };
  if (line.kind === "saw") return { ...line, seen: doubled(line.seen) };
  // What was ignored is counted nowhere in the state: it is the same.
  const { seen, counted, stated } = line;
  return {
    ...line,
    ...(seen && { seen: doubled(seen) }),
    ...(counted && { counted: doubled(counted) }),
    ...(stated && { stated: doubled(stated) }),
  };
}
