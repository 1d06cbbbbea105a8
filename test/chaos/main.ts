// The fault runs: `npm run chaos`, for a single one `npm run chaos -- --only kill-leader`. Three real brokers, two real
// nodes, a steady load, one fault a run; and a checker that reads the whole log at the end. Ends with 1 if anything is
// wrong. The map of this folder:
//
//   faults/    what is broken, and how it is mended     checker/   what must hold, and what clients saw
//   load/      clients, and the service                 history/   what is written down as it happens
//   scene/     brokers, nodes, and a run from its start log/       the log, read and written by others
//   table.ts   the verdicts                             planting/  faults that the checker must notice

import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { KafkaCluster } from "@usher/local-kafka";
import { FAULTS } from "./faults/faults.ts";
import { startCluster } from "./scene/cluster.ts";
import { type Fault, runFault, type Verdict } from "./scene/run.ts";
import { complaints, failed, table } from "./table.ts";

/** Where histories go; those of a fault are removed when it is run again. */
const FOLDER = resolve(import.meta.dirname, "../../.usher/chaos");

const HELP = `npm run chaos -- [options]

  --only <name>   runs this fault alone; may be given more than once
  --seed <n>      what clients do, and when (default: 1)
  --keep          keeps the histories of good runs, too
  --folder <dir>  where histories go (default: .usher/chaos)
  --list          names the faults`;

const { values: options } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    seed: { type: "string", default: "1" },
    keep: { type: "boolean", default: false },
    folder: { type: "string", default: FOLDER },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const unknown = (options.only ?? []).filter((name) => !FAULTS.some((fault) => fault.name === name));
if (options.help || unknown.length > 0) {
  for (const name of unknown) console.error(`there is no fault "${name}" (--list names them)`);
  console.log(HELP);
  process.exitCode = unknown.length > 0 ? 2 : 0;
} else if (options.list) {
  for (const { name, about } of FAULTS) console.log(`${name.padEnd(20)} ${about}`);
} else {
  process.exitCode = (await runAll()) ? 0 : 1;
}

/** Whether all went well. */
async function runAll(): Promise<boolean> {
  const chosen = FAULTS.filter(({ name }) => options.only?.includes(name) ?? true);
  await using cluster = await startCluster();
  const verdicts: Verdict[] = [];
  for (const fault of chosen) {
    const verdict = await runOne(fault, cluster);
    if (verdict !== undefined) verdicts.push(verdict);
  }
  console.log(`\n${table(verdicts)}`);
  return verdicts.length === chosen.length && !verdicts.some(failed);
}

/** Absent: it could not be run to its end. */
async function runOne(fault: Fault, cluster: KafkaCluster): Promise<Verdict | undefined> {
  const folder = join(resolve(options.folder), fault.name);
  await rm(folder, { recursive: true, force: true });
  console.log(`${fault.name}: ${fault.about}`);
  try {
    const verdict = await runFault(fault, Number(options.seed), { cluster, folder, topics: fault.name });
    for (const line of complaints(verdict)) console.log(`  ${line}`);
    if (failed(verdict)) console.log(`  its histories are in ${folder}`);
    else if (!options.keep) await rm(folder, { recursive: true });
    return verdict;
  } catch (error) {
    console.error(error);
    return undefined;
  }
}
