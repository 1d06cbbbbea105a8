// The benchmarks, apart from the tests: `npm run bench -- <case> ...`, or without a case for the list of them.

import * as client from "./client.ts";
import * as issue from "./issue.ts";
import * as kafka from "./kafka.ts";
import * as model from "./model.ts";

interface Case {
  readonly name: string;
  /** What it measures, in a few words. */
  readonly about: string;
  /** Measures, and prints what it found and what it did not measure. */
  readonly run: (print: (line: string) => void) => Promise<void>;
}

const CASES: readonly Case[] = [model, issue, client, kafka];

const asked = process.argv.slice(2);
const chosen = CASES.filter(({ name }) => asked.includes(name));
const unknown = asked.filter((name) => !CASES.some((known) => known.name === name));

if (asked.length === 0 || unknown.length > 0) {
  for (const name of unknown) console.error(`there is no benchmark "${name}"`);
  console.log("npm run bench -- <case> ...");
  for (const { name, about } of CASES) console.log(`  ${name.padEnd(8)} ${about}`);
  process.exitCode = unknown.length > 0 ? 1 : 0;
} else {
  for (const { run } of chosen) await run(console.log);
}
