// The log as the shipped code reads it: its decoder, its fold, what that told of each record, and how things stood
// where clients say that they saw them.

import { type Change, Fold, type LogRecord, type Outcome, type TicketView } from "@usher/queue";
import { decodeRecord, stateDigest } from "@usher/replica";
import type { Counted, Seen, Stated } from "../history/lines.ts";
import type { LogEntry } from "../log/entry.ts";

export type FoldClass = new () => Fold;

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
  /** How the ticket of each sighting stood there; absent where it was not there, or no more. */
  readonly stood: ReadonlyMap<Seen, TicketView>;
  /** How each queue that was counted stood there; absent where it was not there. */
  readonly counts: ReadonlyMap<Counted, Omit<Counted, "as_of">>;
  /** The digest of the whole state where a node told its own. */
  readonly digests: ReadonlyMap<Stated, string>;
  readonly fold: Fold;
  /** The offset after the last entry. */
  readonly end: number;
}

export interface Looks {
  readonly seen: readonly Seen[];
  readonly counted: readonly Counted[];
  readonly stated: readonly Stated[];
}

/** `FoldToUse`: the shipped one; tests give one that has a fault. */
export function foldLog(log: readonly LogEntry[], looks: Looks, FoldToUse: FoldClass = Fold): Folded {
  const fold = new FoldToUse();
  const steps: Step[] = [];
  const stood = new Map<Seen, TicketView>();
  const counts = new Map<Counted, Omit<Counted, "as_of">>();
  const tickets = inOrder(looks.seen, (seen) => {
    const view = fold.queue(seen.queue)?.ticket(seen.number);
    if (view !== undefined) stood.set(seen, view);
  });
  const queues = inOrder(looks.counted, (counted) => {
    const queue = fold.queue(counted.queue);
    if (queue === undefined) return;
    const { name, waiting, nowServing: now_serving, lastNumber: last_number } = queue;
    counts.set(counted, { queue: name, waiting, now_serving, last_number });
  });
  const digests = new Map<Stated, string>();
  const states = inOrder(looks.stated, (stated) => digests.set(stated, stateDigest(fold).digest));
  const end = (log.at(-1)?.offset ?? -1) + 1;
  for (const [at, { offset, value }] of log.entries()) {
    for (const look of [tickets, queues, states]) look(offset);
    const decoded = decodeRecord(value);
    if (decoded.kind !== "record") continue;
    const { record } = decoded;
    const outcome = fold.apply(record);
    steps.push({ at, offset, record, outcome, changes: fold.takeChanges(), now_ms: fold.now_ms });
  }
  for (const look of [tickets, queues, states]) look(end);
  return { steps, stood, counts, digests, fold, end };
}

/** Takes what is true as far as an offset, each once. */
function inOrder<Look extends { readonly as_of: number }>(
  looks: readonly Look[],
  take: (look: Look) => unknown,
): (offset: number) => void {
  const waiting = looks.toSorted((one, other) => one.as_of - other.as_of);
  let next = 0;
  return (offset) => {
    for (let look = waiting[next]; look !== undefined && look.as_of <= offset; look = waiting[++next])
      take(look);
  };
}
