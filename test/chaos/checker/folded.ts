// The log as the shipped code reads it: its decoder, its fold, what that told of each record, and how tickets stood
// where clients say that they saw them.

import { type Change, Fold, type LogRecord, type Outcome, type TicketView } from "@usher/queue";
import { decodeRecord } from "@usher/replica";
import type { Seen } from "../history/lines.ts";

import type { LogEntry } from "../log/entry.ts";

export interface Step {
  /** Its place among the entries. */
  readonly at: number;
  readonly offset: number;
  readonly record: LogRecord;
  readonly outcome: Outcome;
  readonly changes: readonly Change[];
  /** Log time after the record, in milliseconds. */
  readonly now_ms: number;
}

export interface Folded {
  readonly steps: readonly Step[];
  /** How each sighting's ticket stood there, by the sighting; absent where it was not there, or no more. */
  readonly stood: ReadonlyMap<Seen, TicketView>;
  readonly fold: Fold;
  /** The offset after the last entry. */
  readonly end: number;
}

export function foldLog(log: readonly LogEntry[], sightings: readonly Seen[]): Folded {
  const fold = new Fold();
  const steps: Step[] = [];
  const stood = new Map<Seen, TicketView>();
  const waiting = sightings.toSorted((one, other) => one.as_of - other.as_of);
  let next = 0;
  const lookUntil = (offset: number): void => {
    for (let seen = waiting[next]; seen !== undefined && seen.as_of <= offset; seen = waiting[++next]) {
      const view = fold.queue(seen.queue)?.ticket(seen.number);
      if (view !== undefined) stood.set(seen, view);
    }
  };
  for (const [at, { offset, value }] of log.entries()) {
    lookUntil(offset);
    const decoded = decodeRecord(value);
    if (decoded.kind !== "record") continue;
    const { record } = decoded;
    const outcome = fold.apply(record);
    steps.push({ at, offset, record, outcome, changes: fold.takeChanges(), now_ms: fold.now_ms });
  }
  const end = (log.at(-1)?.offset ?? -1) + 1;
  lookUntil(end);
  return { steps, stood, fold, end };
}
