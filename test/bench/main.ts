// The benchmarks, apart from the tests: `npm run bench -- <case> ...`, or without a case for the list of them.

import { parseArgs } from "node:util";
import * as client from "./client.ts";
import * as issue from "./issue.ts";
import * as kafka from "./kafka.ts";
import * as model from "./model.ts";
import * as reconnect from "./reconnect.ts";

interface Case {
  readonly name: string;
  /** What it measures, in a few words. */
  readonly about: string;
  /** Measures, and prints what it found and what it did not measure. */
  readonly run: (print: (line: string) => void, options: { readonly callers: number }) => Promise<void>;
}

const CASES: readonly Case[] = [model, issue, client, kafka, reconnect];

const HELP = `npm run bench -- <case> ... [--callers <n>]

  --callers <n>   how many lose their node, in reconnect (default: ${reconnect.CALLERS})
`;

const { values: options, positionals: asked } = parseArgs({
  allowPositionals: true,
  options: { callers: { type: "string", default: `${reconnect.CALLERS}` } },
});
const callers = Number(options.callers);
const chosen = CASES.filter(({ name }) => asked.includes(name));
const wrong = asked
  .filter((name) => !CASES.some((known) => known.name === name))
  .map((name) => `there is no benchmark "${name}"`);
if (!Number.isInteger(callers) || callers < reconnect.CALLERS_MIN || callers > reconnect.CALLERS_MAX)
  wrong.push(
    `--callers is "${options.callers}"; it takes ${reconnect.CALLERS_MIN} to ${reconnect.CALLERS_MAX}`,
  );

if (asked.length === 0 || wrong.length > 0) {
  for (const what of wrong) console.error(what);
  console.log(HELP);
  for (const { name, about } of CASES) console.log(`  ${name.padEnd(10)} ${about}`);
  process.exitCode = wrong.length > 0 ? 1 : 0;
} else {
  for (const { run } of chosen) await run(console.log, { callers });
}
