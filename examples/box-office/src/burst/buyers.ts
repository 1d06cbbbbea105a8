// The crowd, as a program of its own, so that its work is not the server's:
// `node src/burst/buyers.ts --url http://localhost:9000 --buyers 5000 --log buyers.ndjson`. Ends when every buyer is
// done, at the latest at the deadline; or with the process that forked it.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { EpochClock } from "../clock.ts";
import { LineFile } from "../line-file.ts";
import type { BuyersLine, Outcome } from "../lines.ts";
import { numberOption, runProgram } from "../options.ts";
import { Random } from "../random.ts";
import { Buyer } from "./buyer.ts";
import { BUYERS_MAX, type CrowdProgress } from "./crowd.ts";
import { Journal } from "./journal.ts";

/** How often the parent hears how far things are, in milliseconds. */
const PROGRESS_MS = 50;

const help = `Buyers for the demo's shop, each a real HTTP client.

  --url http://localhost:9000    the shop, or Usher in front of it; more than once: each of Usher's nodes
  --buyers 5000                  how many
  --window-ms 1000               they come at random moments within this time
  --deadline-ms 120000           who has no final word by then is lost
  --retry                        try again, with the same key, after a broken connection
  --log buyers.ndjson            where everything is written down; replaced
  --seed 1                       for the moments
`;

interface CrowdSettings {
  readonly origins: readonly string[];
  readonly buyers: number;
  readonly window_ms: number;
  readonly deadline_ms: number;
  readonly retry: boolean;
  readonly log: string;
  readonly seed: number;
}

async function crowd(settings: CrowdSettings): Promise<CrowdProgress> {
  const clock = new EpochClock();
  const file = new LineFile<BuyersLine>(settings.log);
  file.write({
    kind: "start",
    at_ms: clock.now(),
    options: { ...settings, origins: settings.origins.join(" ") },
  });
  const random = new Random(settings.seed);
  const offsets_ms = Array.from({ length: settings.buyers }, () => random.between(0, settings.window_ms));
  offsets_ms.sort((one, other) => one - other);

  const progress: CrowdProgress = {
    kind: "progress",
    buyers: settings.buyers,
    come: 0,
    ticketed: 0,
    answered: 0,
    failed: 0,
    unknown: 0,
    lost: 0,
  };
  // Time to write all that is scheduled before the first one comes.
  const from_ms = clock.now() + 300;
  const comers = offsets_ms.map((offset_ms, index) => {
    const key = randomBytes(16).toString("hex");
    const due_ms = from_ms + offset_ms;
    const journal = new Journal(file, clock, index + 1);
    journal.scheduled(due_ms, key);
    const { origins, retry } = settings;
    const deadline_ms = from_ms + settings.deadline_ms;
    const buyer = new Buyer(
      { number: index + 1, key, origins, retry, deadline_ms },
      journal,
      random.fork(),
      () => clock.now(),
    );
    return { buyer, due_ms };
  });

  const report = setInterval(() => process.send?.({ ...progress }), PROGRESS_MS);
  const runs: Promise<void>[] = [];
  for (const { buyer, due_ms } of comers) {
    const early_ms = due_ms - clock.now();
    if (early_ms > 0) await sleep(early_ms);
    progress.come++;
    const ticketed = (): void => void progress.ticketed++;
    runs.push(buyer.run(ticketed).then((outcome: Outcome) => void progress[outcome]++));
  }
  await Promise.all(runs);
  clearInterval(report);
  file.close(clock.now());
  return progress;
}

await runProgram("buyers", async () => {
  const { values } = parseArgs({
    options: {
      url: { type: "string", multiple: true, default: ["http://localhost:9000"] },
      buyers: { type: "string", default: "5000" },
      "window-ms": { type: "string", default: "1000" },
      "deadline-ms": { type: "string", default: "120000" },
      retry: { type: "boolean", default: false },
      log: { type: "string", default: "buyers.ndjson" },
      seed: { type: "string", default: "1" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  // Whoever started the crowd has gone: nobody is left to judge it.
  const alone = (): never => process.exit(1);
  process.on("disconnect", alone);
  const progress = await crowd({
    origins: values.url.map((url) => new URL(url).origin),
    buyers: numberOption("buyers", values.buyers, 1, BUYERS_MAX),
    window_ms: numberOption("window-ms", values["window-ms"], 0, 600_000),
    deadline_ms: numberOption("deadline-ms", values["deadline-ms"], 1, 3_600_000),
    retry: values.retry,
    log: values.log,
    seed: numberOption("seed", values.seed, 0, 2 ** 32 - 1),
  });
  process.send?.({ ...progress });
  process.off("disconnect", alone);
  if (process.connected) process.disconnect();
  process.stdout.write(`${JSON.stringify(progress)}\n`);
  return 0;
});
