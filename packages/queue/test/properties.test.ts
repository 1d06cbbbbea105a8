// What holds of every history: the fold tells the same as the naive reference, and keeps the invariants.

import { describe, expect, test } from "vitest";
import {
  type ChangeKind,
  Fold,
  type IgnoredReason,
  type QueueMode,
  type RefusedReason,
  type RequestState,
  type TicketState,
} from "../src/index.ts";
import { compare } from "./comparison.ts";
import { history, longHistory, quietHistory } from "./history.ts";
import { INVARIANTS, type Invariant } from "./invariants.ts";
import { forAll, sampleOf } from "./sample.ts";
import { type Step, traceOf } from "./trace.ts";

const TRACES = 400;
/** In so many of them, everything is reached. */
const OFTEN = 10;

describe("the fold tells the same as the naive reference", () => {
  test("of every record, and of everything that can be asked", () => {
    forAll(history, 2_000, (records) => compare(Fold, records, 16));
  });

  test("with thousands in line", () => {
    forAll(longHistory, 50, (records) => compare(Fold, records, 500));
  });

  test("after hours in which nobody is heard", () => {
    forAll(quietHistory, 50, (records) => compare(Fold, records, 500));
  });
});

describe("in every history", () => {
  const traces = sampleOf(history, TRACES).map((records) => traceOf(Fold, records));

  for (const [name, { says, check }] of Object.entries<Invariant>(INVARIANTS)) {
    test(`${name}: ${says}`, () => {
      if (traces.every((trace) => check(trace) === undefined)) return;
      // Once more, for the smallest history in which it does not hold.
      forAll(history, TRACES, (records) => {
        expect(check(traceOf(Fold, records))).toBeUndefined();
      });
    });
  }

  test("something is there to be checked: every outcome, change, stage and mode is often reached", () => {
    const histories = new Map<string, number>();
    for (const { steps } of traces) {
      const reached = new Set(steps.flatMap(labelsOf));
      for (const label of reached) histories.set(label, (histories.get(label) ?? 0) + 1);
    }
    const often = [...histories].filter(([, count]) => count >= OFTEN).map(([label]) => label);
    const expected = [
      ...["applied", "issued", "existing", "admitted", "tried again"],
      ...Object.keys(IGNORED).map((reason) => `ignored: ${reason}`),
      ...Object.keys(REFUSED).map((reason) => `refused: ${reason}`),
      ...Object.keys(CHANGES).map((kind) => `change: ${kind}`),
      ...Object.keys(STAGES).map((stage) => `stage: ${stage}`),
      ...Object.keys(MODES).map((mode) => `mode: ${mode}`),
    ];
    expect(often.sort()).toEqual(expected.sort());
  });
});

function labelsOf({ record, outcome, changes, queues }: Step): string[] {
  const labels = changes.map(({ kind }) => `change: ${kind}`);
  if ("reason" in outcome) labels.push(`${outcome.kind}: ${outcome.reason}`);
  else labels.push(outcome.kind === "issued" && outcome.existing ? "existing" : outcome.kind);
  if (record.event.kind === "request_retried" && outcome.kind === "applied") labels.push("tried again");
  for (const { settings, tickets } of queues.values()) {
    labels.push(`mode: ${settings.mode}`);
    for (const { state, request } of tickets.values()) labels.push(`stage: ${request ?? state}`);
  }
  return labels;
}

// The compiler sees to it that none is left out.
const IGNORED: Record<IgnoredReason, true> = {
  unknown_session: true,
  not_rising: true,
  session_known: true,
  second_genesis: true,
  old_term: true,
  old_revision: true,
  impossible: true,
  not_claimable: true,
  no_such_claim: true,
};
const REFUSED: Record<RefusedReason, true> = {
  no_queue: true,
  closed: true,
  full: true,
  key_reused: true,
  claimed: true,
  not_admitted: true,
  stored_request: true,
  unknown_ticket: true,
  not_failed: true,
  no_room: true,
};
const CHANGES: Record<ChangeKind, true> = {
  admitted: true,
  claimed: true,
  released: true,
  extended: true,
  ended: true,
  settled: true,
  forgotten: true,
};
const STAGES: Record<TicketState | RequestState, true> = {
  waiting: true,
  admitted: true,
  completed: true,
  left: true,
  expired: true,
  stored: true,
  sending: true,
  answered: true,
  failed: true,
  unknown: true,
};
const MODES: Record<QueueMode, true> = {
  auto: true,
  queue_all: true,
  paused: true,
  open: true,
  closed: true,
};
