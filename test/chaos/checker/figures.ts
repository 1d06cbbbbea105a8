// What a run was like for clients: no verdict, for people to read.

import type { Op, Told } from "../history/lines.ts";
import type { Case } from "./case.ts";
import { stretchesWithoutAdmission } from "./limits.ts";

export interface Figures {
  /** How calls ended, by kind. */
  readonly told: ReadonlyMap<Op, Readonly<Record<Told, number>>>;
  /** The longest time in which somebody could have been admitted, and nobody was, in milliseconds. */
  readonly withoutAdmission_ms: number;
  /** The longest time without an acknowledged ticket while clients asked for them, in milliseconds. */
  readonly withoutIssue_ms: number;
  readonly tickets: number;
  readonly admissions: number;
  /** Requests that reached the service. */
  readonly arrivals: number;
  /** Stored requests whose end is unknown. */
  readonly unknown: number;
  /** Ticks in the log of somebody who did not keep time any more. */
  readonly lateTicks: number;
  /** Terms of timekeepers. */
  readonly terms: number;
}

export function figuresOf(found: Case): Figures {
  const { calls, naive, folded } = found;
  const told = new Map<Op, Record<Told, number>>();
  for (const { began, ended } of calls) {
    const counts = told.get(began.op) ?? { ok: 0, refused: 0, unknown: 0 };
    told.set(began.op, counts);
    counts[ended?.told ?? "unknown"]++;
  }
  const tickets = naive.queues.flatMap((queue) => naive.tickets(queue));
  return {
    told,
    withoutAdmission_ms: Math.max(
      0,
      ...stretchesWithoutAdmission(found).map(({ from_ms, to_ms }) => to_ms - from_ms),
    ),
    withoutIssue_ms: withoutIssue(found),
    tickets: tickets.length,
    admissions: folded.steps.flatMap(({ changes }) => changes).filter(({ kind }) => kind === "admitted")
      .length,
    arrivals: found.arrivals.length,
    unknown: tickets.filter(
      ({ queue, number }) => folded.fold.queue(queue)?.ticket(number)?.request === "unknown",
    ).length,
    lateTicks: naive.steps.filter(({ tick }) => tick === "late").length,
    terms: folded.fold.term,
  };
}

function withoutIssue({ calls, notes }: Case): number {
  const from_ms = notes.find(({ what }) => what === "load")?.at_ms;
  const to_ms = notes.find(({ what }) => what === "load over")?.at_ms;
  if (from_ms === undefined || to_ms === undefined) return 0;
  const issued_ms = calls
    .flatMap(({ began, ended }) => {
      const asks = began.op === "issue" || began.op === "request";
      return asks && ended?.told === "ok" && ended.seen !== undefined ? [ended.at_ms] : [];
    })
    .filter((at_ms) => at_ms < to_ms)
    .sort((one, other) => one - other);
  const moments = [from_ms, ...issued_ms, to_ms];
  return Math.max(...moments.slice(1).map((at_ms, before) => at_ms - (moments[before] ?? at_ms)));
}
