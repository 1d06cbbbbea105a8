// I13, I14: what becomes of stored requests.

import type { TicketView } from "../../src/index.ts";
import type { QueueStep } from "../trace.ts";
import { at, isLive, issuedBy, retriedBy, shown, type Verdict } from "./verdict.ts";

interface Sent {
  attempt: number;
  idempotent: boolean;
  /** How the last claim ended. */
  end: "open" | "surely not done" | "maybe done" | "gone";
  /** Some claim ended so that the service may have carried it out. */
  maybeDone: boolean;
}

export function sentAgainOnlyIf(steps: readonly QueueStep[]): Verdict {
  const sent = new Map<number, Sent>();
  const attempts = new Map<number, number>();
  for (const step of steps) {
    const { event } = step.record;
    const applied = step.outcome?.kind === "applied";
    const retried = retriedBy(step);
    if (retried !== undefined) {
      const last = sent.get(retried);
      if (last?.maybeDone || last?.end === "open") {
        return at(step, `${retried} is tried again after a claim that is ${last.end}`);
      }
      // What was surely not done begins anew on an operator's word, whatever the reason.
      sent.delete(retried);
    }
    if (applied && event.kind === "dispatch_claimed") {
      const last = sent.get(event.number);
      const mayBe =
        last === undefined ||
        last.end === "surely not done" ||
        (last.end === "maybe done" && last.idempotent);
      if (!mayBe) return at(step, `${event.number} was sent again after a claim that is ${last.end}`);
      const { attempt, idempotent } = event;
      const former = attempts.get(event.number) ?? 0;
      if (attempt !== former + 1) return at(step, `attempt ${attempt} of ${event.number} follows ${former}`);
      attempts.set(event.number, attempt);
      sent.set(event.number, { attempt, idempotent, end: "open", maybeDone: last?.maybeDone ?? false });
    }
    if (applied && event.kind === "claim_released") {
      const last = sent.get(event.number)!;
      const lost = event.reason === "lost" || event.reason === "timed_out";
      last.end = lost ? "maybe done" : event.reason === "payload_gone" ? "gone" : "surely not done";
      last.maybeDone ||= lost;
    }
    for (const { kind, number } of step.changes) {
      const last = sent.get(number);
      // A claim that ends with a tick has lapsed.
      if (event.kind === "tick" && last?.end === "open" && (kind === "released" || kind === "ended")) {
        last.end = "maybe done";
        last.maybeDone = true;
      }
      const request = step.after.tickets.get(number)?.request;
      if (kind !== "ended" || (request !== "failed" && request !== "unknown")) continue;
      if ((last?.maybeDone ?? false) !== (request === "unknown"))
        return at(step, `${number} is called ${request}`);
    }
  }
  return undefined;
}

export function endsInOneWay(steps: readonly QueueStep[]): Verdict {
  const stored = new Set<number>();
  const answered = new Set<number>();
  for (const step of steps) {
    const { event } = step.record;
    const made = issuedBy(step);
    if (made !== undefined && event.kind === "ticket_issued" && event.stored_request) stored.add(made);
    if (step.outcome?.kind === "applied" && event.kind === "request_answered") answered.add(event.number);
    const forgotten = new Set(
      step.changes.filter(({ kind }) => kind === "forgotten").map(({ number }) => number),
    );
    for (const number of stored) {
      const view = step.after.tickets.get(number);
      if (view === undefined) {
        if (!forgotten.has(number)) return at(step, `${number} vanished`);
        if (isLive(step.before.tickets.get(number)))
          return at(step, `${number} was forgotten before its end`);
        stored.delete(number);
        continue;
      }
      const { state, request } = view;
      const isEnd = state === "completed" ? isOutcome(request) : request === undefined;
      if (!isLive(view) && !isEnd) return at(step, `${number} ended as ${shown(view)}`);
      if ((request === "answered") !== answered.has(number)) return at(step, `${number} is ${shown(view)}`);
    }
  }
  return undefined;
}

function isOutcome(request: TicketView["request"]): boolean {
  return request === "answered" || request === "failed" || request === "unknown";
}
