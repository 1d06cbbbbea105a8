// Both runs: directly and through what protects the shop; compared, drawn and judged.

import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type BurstResult, type BurstSettings, runBurst } from "./burst.ts";
import { type Breach, judge, type Terms } from "./checker/judge.ts";
import { draw } from "./picture.ts";
import { ProgressBar } from "./progress.ts";
import { complaints, shopLine, summary } from "./summary.ts";
import { shopItself, type TargetMaker } from "./target.ts";

/** Beyond what the shop needs for everybody, how long a burst may take, in milliseconds. */
const PATIENCE_MS = 60_000;

export interface DemoSettings {
  readonly buyers: number;
  readonly seed: number;
  readonly out: string;
  readonly json: boolean;
}

/** Runs both bursts and shows them. Returns the exit code: 1 when a promise was broken. */
export async function demonstrate(
  settings: DemoSettings,
  terms: Terms,
  protect: TargetMaker,
): Promise<number> {
  const show = settings.json ? process.stderr : process.stdout;
  const { limit, killed, idempotent } = terms;
  show.write(`${shopLine(limit)}\n`);
  const run = async (
    name: string,
    directory: string,
    kill: boolean,
    make: TargetMaker,
  ): Promise<BurstResult> => {
    const bar = new ProgressBar(name, show);
    const burst: BurstSettings = {
      buyers: settings.buyers,
      seed: settings.seed,
      window_ms: 1_000,
      deadline_ms: (settings.buyers / limit.rate_per_second) * 2_000 + PATIENCE_MS,
      directory: join(settings.out, directory),
      limit,
      retry: kill,
      kill,
      // As many workers as may be active, as quick as the rate needs: the shop can take what the limit lets through.
      shop: {
        workers: limit.max_active,
        work_ms: Math.round((limit.max_active / limit.rate_per_second) * 1000),
        idempotent,
      },
    };
    const result = await runBurst(burst, make, (progress) => bar.show(progress));
    bar.close();
    return result;
  };
  const direct = await run("direct       ", "direct", false, shopItself);
  const usher = await run("through Usher", "usher", killed, protect);

  const breaches = judge(usher.report, terms);
  const reports = { direct: direct.report, usher: usher.report };
  const picture = join(settings.out, "burst.svg");
  writeFileSync(picture, draw({ direct: direct.history, usher: usher.history }, limit));
  const result = { terms, breaches, picture, ...reports };
  writeFileSync(join(settings.out, "result.json"), `${JSON.stringify(result, null, 2)}\n`);
  show.write(`\n${summary(reports, terms)}\n${complaints(reports, breaches)}${verdict(breaches)}`);
  show.write(
    `The picture is ${relative(process.cwd(), picture)}; the files that all this is from are beside it.\n`,
  );
  if (settings.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return breaches.length > 0 || direct.report.findings.count > 0 ? 1 : 0;
}

function verdict(breaches: readonly Breach[]): string {
  return breaches.length === 0 ? "Through Usher, every promise was kept.\n" : "";
}
