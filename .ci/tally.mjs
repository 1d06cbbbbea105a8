// Counts vitest's JSON report for the closing line of `.ci/run`: `node .ci/tally.mjs <report> <exit code of the tests>`
// prints what did not run or not load, and at last "<passed> <failed>". What the tests left out counts as failed: a test
// that is skipped promises nothing.

import { readFileSync } from "node:fs";

/**
 * @typedef {{ status: string, fullName: string }} Test
 * @typedef {{ name: string, message: string, assertionResults: Test[], status: string }} File
 */

/**
 * @param {{ testResults: File[] } | undefined} report undefined where the tests ended without one
 * @param {number} exitCode
 */
export function tally(report, exitCode) {
  const files = report?.testResults ?? [];
  const tests = files.flatMap((file) => file.assertionResults);
  const passed = tests.filter((test) => test.status === "passed").length;
  const wrong = [
    ...tests.filter((test) => test.status !== "passed").map((test) => `${test.status}: ${test.fullName}`),
    ...files
      .filter(
        (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
      )
      .map((file) => `failed: ${file.name}`),
  ];
  if (tests.length === 0) wrong.push("failed: no test ran");
  if (wrong.length === 0 && exitCode !== 0)
    wrong.push(`failed: the tests ended with ${exitCode}, outside of any test`);
  return { passed, wrong };
}

if (process.argv[1]?.endsWith("tally.mjs")) {
  const [path, exitCode] = process.argv.slice(2);
  /** @type {{ testResults: File[] } | undefined} */
  let report;
  try {
    report = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    report = undefined;
  }
  const { passed, wrong } = tally(report, Number(exitCode));
  for (const line of wrong) console.log(line);
  console.log(`${passed} ${wrong.length}`);
}
