// Verdicts, as a table for the terminal, and what is wrong, in words.

import { CHECKS, type CheckName } from "./checker/checker.ts";
import type { Op, Told } from "./history/lines.ts";
import type { Verdict } from "./scene/run.ts";

/** Which calls a column counts. */
const GROUPS: readonly { readonly title: string; readonly ops: readonly Op[] }[] = [
  { title: "requests", ops: ["request"] },
  { title: "issues", ops: ["issue"] },
  { title: "changes", ops: ["leave", "complete", "admit"] },
  { title: "looks", ops: ["poll", "collect", "look", "watch", "count", "state"] },
];

const TOLD: readonly Told[] = ["ok", "refused", "unknown"];

/** How many violations of a check are told in words. */
const SHOWN = 5;

const COLUMNS = [
  "fault",
  ...GROUPS.map(({ title }) => title),
  "no admission",
  "no issue",
  "tickets",
  "sent",
  "unknown",
  "terms",
  "late ticks",
  "violations",
];

/** Of one run: a line of the table. */
export function row(verdict: Verdict): string[] {
  const { fault, figures } = verdict;
  return [
    fault.name,
    ...GROUPS.map(({ ops }) => counts(verdict, ops)),
    seconds(figures.withoutAdmission_ms),
    seconds(figures.withoutIssue_ms),
    `${figures.tickets}`,
    `${figures.arrivals}`,
    `${figures.unknown}`,
    `${figures.terms}`,
    `${figures.lateTicks}`,
    violations(verdict),
  ];
}

export function table(verdicts: readonly Verdict[]): string {
  const rows = [COLUMNS, ...verdicts.map(row)];
  const widths = COLUMNS.map((_, at) => Math.max(...rows.map((cells) => cells[at]?.length ?? 0)));
  const lines = rows.map((cells) =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  "),
  );
  return [...lines, "", `calls: ${TOLD.join(" / ")}`].join("\n");
}

/** What is wrong with a run, a line each; nothing, if nothing is. */
export function complaints({ violations, others }: Verdict): string[] {
  const said = [...violations].flatMap(([name, all]) => [
    `${name} (${CHECKS[name].says}): ${all.length} times not`,
    ...all.slice(0, SHOWN).map((words) => `  ${words}`),
    ...(all.length > SHOWN ? [`  and ${all.length - SHOWN} more`] : []),
  ]);
  return [...said, ...others];
}

export function failed({ violations, others }: Verdict): boolean {
  return violations.size > 0 || others.length > 0;
}

function counts({ figures }: Verdict, ops: readonly Op[]): string {
  const sums = TOLD.map((told) => ops.reduce((sum, op) => sum + (figures.told.get(op)?.[told] ?? 0), 0));
  return sums.join("/");
}

/** Each check with its count, as "I2: 3"; 0: none. */
function violations({ violations, others }: Verdict): string {
  const checks = [...violations].map(([name, all]): string => `${name satisfies CheckName}: ${all.length}`);
  if (others.length > 0) checks.push(`other: ${others.length}`);
  return checks.length === 0 ? "0" : checks.join(", ");
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
