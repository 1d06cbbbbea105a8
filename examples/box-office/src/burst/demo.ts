// Both runs: directly and through what protects the shop; compared, drawn and judged.

import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type BurstResult, type BurstSettings, runBurst } from "./burst.ts";
import { type Breach, judge, nodesOf, type Terms } from "./checker/judge.ts";
import type { Report } from "./checker.ts";
import { draw } from "./picture.ts";
import { ProgressBar, type Screen } from "./progress.ts";
import { complaints, nodesTable, shopLine, summary } from "./summary.ts";
import { shopItself, type TargetMaker } from "./target.ts";

/** Beyond what the shop needs for everybody, how long a burst may take, in milliseconds. */
const PATIENCE_MS = 60_000;

export interface DemoSettings {
  readonly buyers: number;
  readonly seed: number;
  /** Where the files, the picture and the result go. */
  readonly out: string;
}

export interface DemoResult {
  readonly terms: Terms;
  readonly direct: Report;
  readonly usher: Report;
  /** The promises that were broken. */
  readonly breaches: readonly Breach[];
  /** Whether every promise was kept, and the files of the direct run are sound, too. */
  readonly kept: boolean;
  /** The SVG. */
  readonly picture: string;
}

/** Runs both bursts, and shows them on the screen and in files. */
export async function demonstrate(
  settings: DemoSettings,
  terms: Terms,
  protect: TargetMaker,
  screen: Screen,
): Promise<DemoResult> {
  const { out } = settings;
  screen.write(`${shopLine(terms.limit)}\n`);
  const run = async (
    name: string,
    directory: string,
    runTerms: Terms,
    make: TargetMaker,
  ): Promise<BurstResult> => {
    const bar = new ProgressBar(name, screen);
    const burst = burstSettings(settings, runTerms, join(out, directory));
    const result = await runBurst(burst, make, (progress) => bar.show(progress));
    bar.close();
    return result;
  };
  const straight = { ...terms, killed: false, rolled: false, limit: { ...terms.limit, nodes: 1 } };
  const direct = await run("direct       ", "direct", straight, shopItself);
  const usher = await run("through Usher", "usher", terms, protect);

  const reports = { direct: direct.report, usher: usher.report };
  const breaches = judge(usher.report, terms);
  const kept = breaches.length === 0 && direct.report.findings.count === 0;
  const picture = join(out, "burst.svg");
  const result: DemoResult = { terms, breaches, kept, picture, ...reports };
  writeFileSync(picture, draw({ direct: direct.history, usher: usher.history }, terms.limit));
  writeFileSync(join(out, "result.json"), `${JSON.stringify(result, null, 2)}\n`);
  const nodes = nodesTable(usher.report, terms);
  screen.write(
    `\n${[summary(reports, terms), nodes].filter(Boolean).join("\n")}\n${complaints(reports, breaches)}`,
  );
  if (kept) screen.write("Through Usher, every promise was kept.\n");
  const where = relative(process.cwd(), picture);
  screen.write(`The picture is ${where}; the files that all this is from are beside it.\n`);
  return result;
}

function burstSettings(
  { buyers, seed }: DemoSettings,
  { limit, killed, rolled = false, idempotent }: Terms,
  directory: string,
): BurstSettings {
  // As many workers as may be active, as quick as the rate needs: the shop can take what the limit lets through.
  const work_ms = Math.round((limit.max_active / limit.rate_per_second) * 1000);
  // Twice what it takes at the whole rate; of several nodes, one may be left, with its share of that.
  const serving_ms = (buyers / limit.rate_per_second) * 2_000 * nodesOf(limit);
  return {
    buyers,
    seed,
    window_ms: 1_000,
    deadline_ms: serving_ms + PATIENCE_MS,
    directory,
    limit,
    retry: killed || rolled,
    fate: killed ? "strike" : rolled ? "roll" : undefined,
    shop: { workers: limit.max_active, work_ms, idempotent },
  };
}
