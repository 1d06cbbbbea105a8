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

/** By the clocks on the wall of who wrote the records; of one that came late, by those before it. */
export function stretchesWithoutAdmission({ folded }: Pick<Case, "folded">): Stretch[] {
  const settings = new Configured();
  const heads = new Map<string, Head>();
  let wall_ms = 0;
  return folded.steps.flatMap((step) => {
    settings.take(step);
    wall_ms = Math.max(wall_ms, step.record.wall_ms);
    const touched = new Set(step.changes.map(({ queue }) => queue));
    if ("queue" in step.record.event) touched.add(step.record.event.queue);
    return [...touched].flatMap((queue) => {
      const head = heads.get(queue) ?? new Head(queue);
      heads.set(queue, head);
      return head.take(step, settings.of(queue)?.max_active ?? 0, wall_ms);
    });
  });
}

/** The front of one line. */
class Head {
  readonly #queue: string;
  readonly #waiting = new Set<number>();
  readonly #active = new Set<number>();
  /** Since when the next could have gone; absent: nobody could. */
  #since_ms: number | undefined;

  constructor(queue: string) {
    this.#queue = queue;
  }

  /** Tells of a stretch that this record ends. `most`: how many may be active; 0: any number. */
  take({ record: { event }, outcome, changes }: Step, most: number, now_ms: number): Stretch[] {
    const own = "queue" in event && event.queue === this.#queue;
    if (own && outcome.kind === "issued" && !outcome.existing) this.#waiting.add(outcome.number);
    let moved = false;
    for (const { kind, queue, number } of changes) {
      if (queue !== this.#queue || (kind !== "admitted" && kind !== "ended")) continue;
      this.#waiting.delete(number);
      if (kind === "admitted") this.#active.add(number);
      else this.#active.delete(number);
      moved ||= kind === "admitted";
    }
    const could = this.#waiting.size > 0 && (most === 0 || this.#active.size < most);
    const from_ms = this.#since_ms;
    if (moved || !could) this.#since_ms = undefined;
    if (could) this.#since_ms ??= now_ms;
    const over = from_ms !== undefined && (moved || !could);
    return over ? [{ queue: this.#queue, from_ms, to_ms: now_ms }] : [];
  }
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
