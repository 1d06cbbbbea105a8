// The table at the end: both runs side by side, and what was promised.

import { boundsOf } from "./checker/inversions.ts";
import { type Breach, mostIn5s, nodesOf, roomOf, type Terms } from "./checker/judge.ts";
import type { NodeReport } from "./checker/nodes.ts";
import type { Limit, Report } from "./checker.ts";
import { count, layOut, seconds } from "./table.ts";

export interface BothReports {
  readonly direct: Report;
  readonly usher: Report;
}

export function summary({ direct, usher }: BothReports, terms: Terms): string {
  const { limit } = terms;
  const both = (name: string, show: (report: Report) => string, promise = ""): string[] => [
    name,
    show(direct),
    show(usher),
    promise,
  ];
  const counted = (name: string, field: CountField, promise = ""): string[] =>
    both(name, (report) => count(report[field]), promise);
  const rows = [
    ["", "direct", "through Usher", "promised"],
    [],
    counted("buyers", "buyers"),
    both("came within", ({ spread_ms }) => seconds(spread_ms)),
    counted("answered", "answered", answeredPromise(usher, terms)),
    counted("failed", "failed", "0"),
    counted("lost", "lost", "0"),
    counted("unknown", "unknown", unknownPromise(terms)),
    counted("answered twice", "answeredTwice", "0"),
    both("wait of those answered, p50", ({ wait_ms }) => (wait_ms === null ? "–" : seconds(wait_ms.p50))),
    both("wait of those answered, p99", ({ wait_ms }) => (wait_ms === null ? "–" : seconds(wait_ms.p99))),
    counted("most in flight at the shop", "mostInFlight", `≤ ${count(limit.max_active)}`),
    counted("most reaching the shop in 1 s", "worstSecond"),
    counted("most reaching the shop in 5 s", "worstFiveSeconds", `≤ ${count(mostIn5s(limit))}`),
    both("order inversions", orderOf, inversionsPromise(terms)),
    ...(nodesOf(limit) > 1 ? aheadRows(usher, limit) : []),
    counted("tickets", "tickets"),
    counted("seats sold twice", "seatsSoldTwice", "0"),
  ];
  return layOut(rows);
}

type CountField = {
  [Field in keyof Report]: Report[Field] extends number ? Field : never;
}[keyof Report];

function answeredPromise({ buyers, unknown }: Report, { killed, idempotent }: Terms): string {
  return count(killed && !idempotent ? buyers - unknown : buyers);
}

function unknownPromise({ limit, killed, idempotent }: Terms): string {
  return killed && !idempotent ? `≤ ${count(roomOf(limit))}` : "0";
}

function inversionsPromise({ limit, killed, idempotent }: Terms): string {
  if (!killed) return "0";
  if (nodesOf(limit) === 1) return "";
  return idempotent ? `≤ ${count(roomOf(limit))}` : "0";
}

/** How near the order came to an inversion, where several nodes send. */
function aheadRows(report: Report, limit: Limit): string[][] {
  const bounds = boundsOf(limit);
  const most = (value: number, bound: number): string[] => ["–", count(value), `≤ ${count(bound)}`];
  return [
    ["  higher numbers ahead of one, same node", ...most(report.mostAheadOwn, bounds.own)],
    ["  higher numbers ahead of one, any node", ...most(report.mostAhead, bounds.overall)],
    ["  passed without a ticket, by", "–", seconds(report.longestLead_ms), `≤ ${seconds(bounds.lead_ms)}`],
  ];
}

/** Which node did what; empty where there is only one. */
export function nodesTable({ nodes }: Report, { limit }: Terms): string {
  if (nodes.length === 1) return "";
  const row = (name: string, field: keyof NodeReport, promise = ""): string[] => [
    name,
    ...nodes.map((node) => count(node[field])),
    promise,
  ];
  return layOut([
    ["", ...nodes.map((_, index) => `node ${index + 1}`), "promised"],
    [],
    row("tickets given", "ticketsGiven"),
    row("questions after tickets answered", "questions"),
    row("final answers given", "answers"),
    row("connections broken", "broken"),
    row("  of those, cut midway", "cut"),
    row("purchases sent to the shop", "sent"),
    row("  of those, taken by another node", "sentForOthers"),
    row("most in flight at the shop", "mostInFlight", `≤ ${count(roomOf(limit))}`),
  ]);
}

/** Without tickets there is no order to come out of. */
function orderOf({ tickets, inversions }: Report): string {
  return tickets === 0 ? "–" : count(inversions);
}

/** What is wrong, in words; empty when nothing is. */
export function complaints({ direct, usher }: BothReports, breaches: readonly Breach[]): string {
  const lines = breaches.map(
    ({ promise, promised, found }) => `BROKEN: ${promise}: ${found} (promised: ${promised})`,
  );
  for (const [name, { findings }] of [
    ["direct", direct],
    ["through Usher", usher],
  ] as const) {
    if (findings.count === 0) continue;
    lines.push(`${name}: ${count(findings.count)} faults in the files, among them:`);
    for (const { file, rule, message } of findings.first) lines.push(`  ${file}: ${rule}: ${message}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** What the table is held against, in one line. */
export function shopLine({ rate_per_second, max_active }: Limit): string {
  return `The shop can serve ${count(rate_per_second)} a second, ${count(max_active)} at a time.`;
}
