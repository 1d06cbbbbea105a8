// What holds of every history: the fold tells the same as the naive reference, and keeps the invariants.

import { describe, expect, test } from "vitest";
import {
  type ChangeKind,
  Fold,
  type IgnoredReason,
  type RefusedReason,
  type RequestState,
  type TicketState,
} from "../src/index.ts";
import { compare } from "./comparison.ts";
import { history, longHistory, quietHistory } from "./history.ts";
import { INVARIANTS, type Invariant } from "./invariants.ts";
import { forAll, sampleOf } from "./sample.ts";
import { traceOf } from "./trace.ts";

const TRACES = 400;

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

  test("something is there to be checked: every outcome, change and stage is reached", () => {
    const reached = new Set<string>();
    for (const { outcome, changes, queues } of traces.flatMap(({ steps }) => steps)) {
      if ("reason" in outcome) reached.add(`${outcome.kind}: ${outcome.reason}`);
      else if (outcome.kind === "issued") reached.add(outcome.existing ? "existing" : "issued");
      else reached.add(outcome.kind);
      for (const { kind } of changes) reached.add(`change: ${kind}`);
      for (const { tickets } of queues.values()) {
        for (const { state, request } of tickets.values()) reached.add(`stage: ${request ?? state}`);
      }
    }
    const expected = [
      "applied",
      "issued",
      "existing",
      "admitted",
      ...Object.keys(IGNORED).map((reason) => `ignored: ${reason}`),
      ...Object.keys(REFUSED).map((reason) => `refused: ${reason}`),
      ...Object.keys(CHANGES).map((kind) => `change: ${kind}`),
      ...Object.keys(STAGES).map((stage) => `stage: ${stage}`),
    ];
    expect([...reached].sort()).toEqual(expected.sort());
  });
});

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
};
const CHANGES: Record<ChangeKind, true> = {
  admitted: true,
  claimed: true,
  released: true,
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
