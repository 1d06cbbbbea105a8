// I9, I10, I16, I17: never more than the limits let in, a slot freed once, and a head that moves.

import type { Settings } from "@usher/queue";
import { type Case, nameOf } from "./case.ts";
import type { Step } from "./folded.ts";

/** How soon the head must move once nothing is broken any more, in milliseconds; 30,000: an election of leaders, a
 * timekeeper's silence, claims that lapse. */
const RECOVERY_MS = 30_000;

/** The settings of each queue as they are in the log, record by record. */
class Configured {
  readonly #settings = new Map<string, Settings>();

  take({ record: { event }, outcome }: Step): void {
    if (event.kind === "queue_configured" && outcome.kind === "applied")
      this.#settings.set(event.queue, event.settings);
  }

  of(queue: string): Settings | undefined {
    return this.#settings.get(queue);
  }
}

export function neverTooMany({ folded }: Case): string[] {
  const settings = new Configured();
  const active = new Map<string, Set<number>>();
  return folded.steps.flatMap((step) => {
    settings.take(step);
    return step.changes.flatMap(({ kind, queue, number }) => {
      const inside = active.get(queue) ?? new Set();
      active.set(queue, inside);
      if (kind === "ended") inside.delete(number);
      if (kind !== "admitted") return [];
      const most = settings.of(queue)?.max_active ?? 0;
      const said =
        most > 0 && inside.size >= most
          ? [`${queue}/${number} was admitted at ${step.offset}, to ${inside.size} of ${most}`]
          : [];
      inside.add(number);
      return said;
    });
  });
}

/** The bucket that is promised: full at first, refilled by log time as counted by hand, never below nothing. */
export function withinBudget({ folded, naive }: Case): string[] {
  const settings = new Configured();
  const buckets = new Map<string, { left: number; at_ms: number }>();
  return folded.steps.flatMap((step) => {
    settings.take(step);
    const now_ms = naive.steps[step.at]?.now_ms ?? 0;
    const byRequest = step.outcome.kind === "admitted" ? step.outcome.numbers : [];
    return step.changes.flatMap(({ kind, queue, number }) => {
      const rate = (settings.of(queue)?.rate_thousandths ?? 0) / 1_000;
      if (kind !== "admitted" || rate === 0 || byRequest.includes(number)) return [];
      const burst = Math.max(1 + rate / 10, rate / 5);
      const bucket = buckets.get(queue) ?? { left: burst, at_ms: now_ms };
      const left = Math.min(burst, bucket.left + (rate * (now_ms - bucket.at_ms)) / 1_000) - 1;
      buckets.set(queue, { left, at_ms: now_ms });
      return left < -1e-6
        ? [`${queue}/${number} was admitted at ${step.offset}, ${(-left).toFixed(2)} beyond the rate`]
        : [];
    });
  });
}

/** Log time never runs ahead of the clocks on the wall, by the ticks that count: nobody's time is counted twice. The
 * slack is for clocks that are set while the test runs, in milliseconds. */
const CLOCK_SLACK_MS = 250;

export function timeIsCountedOnce({ naive }: Case): string[] {
  let most_ms = Number.NEGATIVE_INFINITY;
  return naive.steps.flatMap(({ tick, now_ms, wall_ms, offset }) => {
    if (tick !== "counted") return [];
    // By how much the wall is ahead: it can only gain.
    const ahead_ms = wall_ms - now_ms;
    const lost_ms = most_ms - ahead_ms;
    most_ms = Math.max(most_ms, ahead_ms);
    return lost_ms > CLOCK_SLACK_MS
      ? [`log time at ${offset} has gained ${Math.round(lost_ms)} ms on the clocks on the wall`]
      : [];
  });
}

export function oneSlotOnce({ folded }: Case): string[] {
  const ended = new Map<string, number>();
  const active = new Map<string, number>();
  const twice = folded.steps.flatMap(({ offset, changes }) =>
    changes.flatMap((change) => {
      const name = nameOf(change);
      const count = active.get(change.queue) ?? 0;
      if (change.kind === "admitted") active.set(change.queue, count + 1);
      if (change.kind !== "ended") return [];
      const before = ended.get(name);
      ended.set(name, offset);
      return before === undefined ? [] : [`${name} ended at ${before} and at ${offset}`];
    }),
  );
  return [...twice, ...slotsLeft({ folded })];
}

/** What is taken at the end is what was admitted and has not ended. */
function slotsLeft({ folded }: Pick<Case, "folded">): string[] {
  const inside = new Map<string, Set<number>>();
  for (const { changes } of folded.steps)
    for (const { kind, queue, number } of changes) {
      const numbers = inside.get(queue) ?? new Set();
      inside.set(queue, numbers);
      if (kind === "admitted") numbers.add(number);
      if (kind === "ended") numbers.delete(number);
    }
  return [...folded.fold.queues()].flatMap(({ name, active }) => {
    const count = inside.get(name)?.size ?? 0;
    return count === active
      ? []
      : [`${count} of ${name} are admitted and not ended, ${active} slots are taken`];
  });
}

/** A stretch in which somebody could have been admitted, and nobody was. */
export interface Stretch {
  readonly queue: string;
  readonly from_ms: number;
  readonly to_ms: number;
}

/** By the clocks on the wall of who wrote the records. */
export function stretchesWithoutAdmission({ folded }: Pick<Case, "folded">): Stretch[] {
  const settings = new Configured();
  const queues = new Map<
    string,
    { waiting: Set<number>; active: Set<number>; since_ms: number | undefined }
  >();
  const stretches: Stretch[] = [];
  for (const step of folded.steps) {
    settings.take(step);
    const { record, outcome } = step;
    const { event, wall_ms } = record;
    const touched = new Set(step.changes.map(({ queue }) => queue));
    if ("queue" in event) touched.add(event.queue);
    for (const name of touched) {
      const queue = queues.get(name) ?? { waiting: new Set(), active: new Set(), since_ms: undefined };
      queues.set(name, queue);
      if (
        event.kind === "ticket_issued" &&
        event.queue === name &&
        outcome.kind === "issued" &&
        !outcome.existing
      )
        queue.waiting.add(outcome.number);
      let moved = false;
      for (const change of step.changes) {
        if (change.queue !== name) continue;
        if (change.kind === "admitted") queue.active.add(change.number);
        if (change.kind === "ended") queue.active.delete(change.number);
        if (change.kind === "admitted" || change.kind === "ended") queue.waiting.delete(change.number);
        moved ||= change.kind === "admitted";
      }
      const most = settings.of(name)?.max_active ?? 0;
      const could = queue.waiting.size > 0 && (most === 0 || queue.active.size < most);
      if (queue.since_ms !== undefined && (moved || !could)) {
        stretches.push({ queue: name, from_ms: queue.since_ms, to_ms: wall_ms });
        queue.since_ms = undefined;
      }
      if (could) queue.since_ms ??= wall_ms;
    }
  }
  return stretches;
}

export function headMoves(found: Case): string[] {
  const left = [...found.folded.fold.queues()]
    .filter(({ waiting }) => waiting > 0)
    .map(({ name, waiting }) => `${waiting} still wait in ${name} when all is over`);
  const healed_ms = found.notes.filter(({ what }) => what === "healed").at(-1)?.at_ms;
  if (healed_ms === undefined) return left;
  const slow = stretchesWithoutAdmission(found)
    .map(({ queue, from_ms, to_ms }) => ({ queue, ms: to_ms - Math.max(from_ms, healed_ms) }))
    .filter(({ ms }) => ms > RECOVERY_MS)
    .map(({ queue, ms }) => `the head of ${queue} stood still for ${Math.round(ms)} ms with nothing broken`);
  return [...left, ...slow];
}
