// I7, I8, I11, I12: who comes when, and where each one stands.

import type { TicketView } from "../../src/index.ts";
import type { QueueStep } from "../trace.ts";
import { at, issuedBy, retriedBy, shown, type Verdict } from "./verdict.ts";

export function firstComeFirst(steps: readonly QueueStep[]): Verdict {
  const waiting = new Set<number>();
  for (const step of steps) {
    const made = issuedBy(step);
    if (made !== undefined) waiting.add(made);
    const { event } = step.record;
    const named = event.kind === "admit_requested" && "number" in event.who ? event.who.number : undefined;
    const retried = retriedBy(step);
    for (const { kind, number } of step.changes) {
      if ((kind !== "admitted" && kind !== "ended") || number === retried) continue;
      // A Set keeps the order of the numbers.
      const [first] = waiting;
      waiting.delete(number);
      if (kind === "ended" || number === named || first === number) continue;
      return at(step, `${number} was admitted before ${first}`);
    }
  }
  return undefined;
}

export function finalStatesAbsorb(steps: readonly QueueStep[]): Verdict {
  const admitted = new Set<number>();
  const ended = new Set<number>();
  for (const step of steps) {
    const retried = retriedBy(step);
    if (retried !== undefined) {
      admitted.delete(retried);
      ended.delete(retried);
    }
    for (const { kind, number } of step.changes) {
      if (kind !== "admitted" && kind !== "ended") continue;
      const already = kind === "admitted" ? admitted : ended;
      if (already.has(number) || ended.has(number)) return at(step, `${number} was ${kind} again`);
      already.add(number);
    }
    for (const [number, view] of step.after.tickets) {
      const former = step.before.tickets.get(number);
      if (former === undefined && issuedBy(step) !== number) return at(step, `${number} came back`);
      if (former === undefined) continue;
      if (number === retried ? isTakenUp(former, view) : mayBecome(former, view)) continue;
      return at(step, `${number} was ${shown(former)} and is ${shown(view)}`);
    }
  }
  return undefined;
}

/** The one way out of a final state: failed, and by an operator's record. */
function isTakenUp(former: TicketView, view: TicketView): boolean {
  return former.request === "failed" && view.state === "admitted" && view.endedWall_ms === undefined;
}

function mayBecome(former: TicketView, view: TicketView): boolean {
  if (former.state === "waiting") return view.state !== "completed";
  if (former.state === "admitted") return view.state !== "waiting";
  if (former.request === "unknown" && view.request === "answered") return view.state === former.state;
  return view.state === former.state && view.request === former.request;
}

export function positionNeverRises(steps: readonly QueueStep[]): Verdict {
  for (const step of steps) {
    for (const [number, { position }] of step.after.tickets) {
      const former = step.before.tickets.get(number)?.position;
      if (former === undefined || position === undefined || position <= former) continue;
      return at(step, `${number} went from place ${former} to ${position}`);
    }
  }
  return undefined;
}

export function zeroIsAdmitted(steps: readonly QueueStep[]): Verdict {
  const admitted = new Set<number>();
  for (const step of steps) {
    for (const { kind, number } of step.changes) {
      if (kind === "admitted") admitted.add(number);
      if (kind === "ended") admitted.delete(number);
    }
    for (const { number, position, state } of step.after.tickets.values()) {
      const isRight =
        position === 0
          ? admitted.has(number)
          : !admitted.has(number) && (position !== undefined) === (state === "waiting");
      if (!isRight) return at(step, `${number}, ${state}, is at place ${position}`);
    }
  }
  return undefined;
}
