// I9, I10, I16, I17: never more than the limits let in, and never less than they would.

import type { QueueSeen, QueueStep } from "../trace.ts";
import { at, retriedBy, type Verdict } from "./verdict.ts";

export function neverTooMany(steps: readonly QueueStep[]): Verdict {
  const admitted = new Set<number>();
  for (const step of steps) {
    const { max_active } = step.after.settings;
    for (const { kind, number } of step.changes) {
      if (kind === "ended") admitted.delete(number);
      if (kind !== "admitted") continue;
      if (max_active > 0 && admitted.size >= max_active) {
        return at(step, `${number} was admitted to ${admitted.size} of ${max_active}`);
      }
      admitted.add(number);
    }
  }
  return undefined;
}

/** The bucket that the promise describes: full at first, and never below nothing. */
export function withinBudget(steps: readonly QueueStep[]): Verdict {
  let left = Infinity;
  for (const step of steps) {
    const rate = step.after.settings.rate_thousandths;
    const burst = Math.max(1 + rate / 10_000, rate / 5_000);
    left = rate === 0 ? Infinity : Math.min(burst, left + (rate * step.elapsed_ms) / 1_000_000);
    const { outcome } = step;
    const byRequest = outcome?.kind === "admitted" ? outcome.numbers : [retriedBy(step)];
    for (const { kind, number } of step.changes) {
      if (kind === "admitted" && !byRequest.includes(number)) left--;
    }
    if (left < -1e-6) return at(step, `${-left} more were admitted than the rate allows`);
  }
  return undefined;
}

export function oneSlotOnce(steps: readonly QueueStep[]): Verdict {
  const admitted = new Set<number>();
  for (const step of steps) {
    for (const { kind, number } of step.changes) {
      if (kind === "admitted") admitted.add(number);
      if (kind === "ended") admitted.delete(number);
    }
    if (step.after.active !== admitted.size) {
      return at(step, `${admitted.size} are admitted and not ended, ${step.after.active} slots are taken`);
    }
  }
  return undefined;
}

const TICKET_MILLIONTHS = 1_000_000;
const TICK_MAX_MS = 1_000;

export function headMoves(steps: readonly QueueStep[]): Verdict {
  let stalled_ms = 0;
  for (const step of steps) {
    const { before, after } = step;
    if (
      couldGo(after) &&
      (after.settings.rate_thousandths === 0 || after.budget_millionths >= TICKET_MILLIONTHS)
    ) {
      return at(step, `${after.waiting} wait, though the next may go`);
    }
    const moved = step.changes.some(({ kind, number }) => kind === "admitted" && number !== retriedBy(step));
    const anew = moved || !couldGo(before) || !couldGo(after) || step.record.event.kind === "term_opened";
    stalled_ms = anew || before.settings !== after.settings ? 0 : stalled_ms + step.elapsed_ms;
    const patience_ms = TICKET_MILLIONTHS / after.settings.rate_thousandths + 2 * TICK_MAX_MS;
    if (stalled_ms > patience_ms) return at(step, `the head has not moved for ${stalled_ms} ms`);
  }
  return undefined;
}

/** Somebody waits, and nothing but the budget may hold them. */
function couldGo({ settings, waiting, active }: QueueSeen): boolean {
  const hasRoom = settings.max_active === 0 || active < settings.max_active;
  return waiting > 0 && hasRoom && settings.mode !== "paused";
}
