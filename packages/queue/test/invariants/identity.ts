// I1, I3, I5, I6: which ticket is whose, and its number.

import { isDeepStrictEqual } from "node:util";
import type { QueueStep, Trace } from "../trace.ts";
import { at, isLive, issuedBy, retriedBy, type Verdict } from "./verdict.ts";

export function oneNumberATicket(steps: readonly QueueStep[]): Verdict {
  const makers = new Map<number, string>();
  for (const step of steps) {
    const number = issuedBy(step);
    const { session, sequence } = step.record;
    if (number !== undefined && makers.has(number)) return at(step, `ticket ${number} was there already`);
    if (number !== undefined) makers.set(number, `${session}/${sequence}`);
    for (const { number, origin } of step.after.tickets.values()) {
      if (makers.get(number) === `${origin.session}/${origin.sequence}`) continue;
      return at(step, `ticket ${number} is not that of ${makers.get(number)} any more`);
    }
  }
  return undefined;
}

export function sameIsSame(steps: readonly QueueStep[]): Verdict {
  const byKey = new Map<string, { number: number; digest: string }>();
  const ended_ms = new Map<number, number>();
  const subjects = new Map<number, string>();
  for (const step of steps) {
    const { event } = step.record;
    const made = issuedBy(step);
    if (event.kind === "ticket_issued" && step.outcome !== undefined && step.outcome.kind !== "ignored") {
      const digest = hex(event.digest);
      const known = byKey.get(hex(event.key));
      if (event.key !== undefined && known !== undefined) {
        const expected =
          known.digest === digest
            ? { kind: "issued", number: known.number, existing: true }
            : { kind: "refused", reason: "key_reused" };
        if (!isDeepStrictEqual(step.outcome, expected)) return at(step, `the key is that of ${known.number}`);
      }
      const subject = step.after.settings.kind === "pass" ? hex(event.subject) : "none";
      for (const view of step.before.tickets.values()) {
        if (made === undefined || subject === "none" || !isLive(view)) continue;
        if (subjects.get(view.number) === subject) return at(step, `the subject has ${view.number} already`);
      }
      if (made !== undefined) subjects.set(made, subject);
      // By its subject, too: from then on the key is that ticket's.
      const adopted = made !== undefined || event.adopt_key;
      if (event.key !== undefined && known === undefined && adopted && step.outcome.kind === "issued") {
        byKey.set(hex(event.key), { number: step.outcome.number, digest });
      }
    }
    const retried = retriedBy(step);
    if (retried !== undefined) ended_ms.delete(retried);
    for (const { kind, number } of step.changes) if (kind === "ended") ended_ms.set(number, step.now_ms);
    if (event.kind !== "tick") continue;
    for (const [key, { number }] of byKey) {
      const over_ms = (ended_ms.get(number) ?? Infinity) + step.after.settings.key_retention_ms;
      if (over_ms <= step.now_ms) byKey.delete(key);
    }
  }
  return undefined;
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "none" : Buffer.from(bytes).toString("hex");
}

export function oneGenesis({ steps }: Trace): Verdict {
  for (const step of steps) {
    if (step.genesis !== steps[0]!.genesis) return at(step, "the log has another genesis");
    const again = step.at > 0 && step.record.event.kind === "genesis";
    if (again && step.outcome.kind !== "ignored") return at(step, "a second genesis had an effect");
  }
  return undefined;
}

export function noGaps(steps: readonly QueueStep[]): Verdict {
  for (const step of steps) {
    const number = issuedBy(step);
    const expected = step.before.lastNumber + (number === undefined ? 0 : 1);
    if (step.after.lastNumber !== expected) return at(step, `the last number is ${step.after.lastNumber}`);
    if (number !== undefined && number !== expected) return at(step, `${number} follows ${expected - 1}`);
  }
  return undefined;
}
