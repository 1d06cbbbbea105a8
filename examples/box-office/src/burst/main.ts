// The burst: a crowd comes to the shop, once directly and once through Usher, and both are compared.
//
//   main.ts                    this: the program
//   demo.ts                    both runs, compared and judged
//   burst.ts                   one run: shop, target, crowd;  children.ts: their processes
//   target.ts  usher-target.ts what the crowd is sent to
//   buyers.ts                  the crowd's process;  crowd.ts: what it tells its parent
//   buyer.ts                   one buyer;  reading.ts: what an answer means;  waiting.ts, wire.ts, journal.ts
//   checker.ts  checker/       from the files to what happened
//   summary.ts  table.ts       the table;  picture.ts  picture/: the picture;  progress.ts: the bar

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { numberOption, runProgram } from "../options.ts";
import type { Terms } from "./checker/judge.ts";
import { BUYERS_MAX } from "./crowd.ts";
import { demonstrate } from "./demo.ts";
import type { TargetMaker } from "./target.ts";
import { configuredLimit, UsherTarget } from "./usher-target.ts";

const help = `A burst of buyers at the demo's shop, directly and through Usher.

  --buyers 5000     how many come within a second
  --seed 1          for their moments and the shop's differences
  --out DIR         where the files, the picture and the result go; by default "out" beside the demo's README
  --kill            kill Usher when half of the answers are there, and start it again
  --idempotent      the route is declared idempotent, and the shop honours the Idempotency-Key
  --json            print the result as JSON; everything else goes to standard error
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      buyers: { type: "string", default: "5000" },
      seed: { type: "string", default: "1" },
      out: { type: "string", default: resolve(import.meta.dirname, "../../out") },
      kill: { type: "boolean", default: false },
      idempotent: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const { kill, idempotent, json } = values;
  const settings = {
    buyers: numberOption("buyers", values.buyers, 1, BUYERS_MAX),
    seed: numberOption("seed", values.seed, 0, 2 ** 32 - 1),
    out: resolve(values.out),
  };
  // So that the processes of the burst are ended with this one.
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
  const terms: Terms = { limit: configuredLimit(), killed: kill, idempotent };
  const protect: TargetMaker = (shopUrl, directory) => new UsherTarget({ shopUrl, directory, idempotent });
  const result = await demonstrate(settings, terms, protect, json ? process.stderr : process.stdout);
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.kept ? 0 : 1;
}

await runProgram("burst", main);
