// What a fold told while it read a log, record by record: the checks of invariants judge by nothing else.

import type { Change, Fold, LogRecord, Outcome, Queue, Settings, TicketView } from "../src/index.ts";

export type FoldClass = new () => Fold;

/** A queue as it showed itself after a record. */
export interface QueueSeen {
  readonly settings: Settings;
  readonly waiting: number;
  readonly active: number;
  readonly lastNumber: number;
  readonly budget_millionths: number;
  /** Those that are not forgotten. */
  readonly tickets: ReadonlyMap<number, TicketView>;
}

export interface Step {
  /** The record's place in the log. */
  readonly at: number;
  readonly record: LogRecord;
  readonly outcome: Outcome;
  readonly changes: readonly Change[];
  readonly genesis: string | undefined;
  readonly term: number;
  /** Log time after the record. */
  readonly now_ms: number;
  readonly queues: ReadonlyMap<string, QueueSeen>;
}

export interface Trace {
  readonly records: readonly LogRecord[];
  readonly steps: readonly Step[];
  /** For folding the same log once more. */
  readonly Fold: FoldClass;
}

/** One queue's part of a step. */
export interface QueueStep extends Pick<Step, "at" | "record" | "changes" | "term" | "now_ms"> {
  /** Absent where the record was not about this queue. */
  readonly outcome: Outcome | undefined;
  readonly elapsed_ms: number;
  readonly before: QueueSeen;
  readonly after: QueueSeen;
}

export function traceOf(FoldToUse: FoldClass, records: readonly LogRecord[]): Trace {
  const fold = new FoldToUse();
  const steps = records.map((record, at): Step => {
    const outcome = fold.apply(record);
    const changes = fold.takeChanges();
    const queues = new Map([...fold.queues()].map((queue) => [queue.name, seen(queue)]));
    return {
      at,
      record,
      outcome,
      changes,
      genesis: fold.genesis,
      term: fold.term,
      now_ms: fold.now_ms,
      queues,
    };
  });
  return { records, steps, Fold: FoldToUse };
}

export function seen(queue: Queue): QueueSeen {
  const tickets = new Map<number, TicketView>();
  for (let number = 1; number <= queue.lastNumber; number++) {
    const view = queue.ticket(number);
    if (view !== undefined) tickets.set(number, view);
  }
  const { settings, waiting, active, lastNumber, budget_millionths } = queue;
  return { settings, waiting, active, lastNumber, budget_millionths, tickets };
}

/** The steps after a queue was made, for each queue. */
export function queueSteps({ steps }: Trace): QueueStep[][] {
  const names = [...(steps.at(-1)?.queues.keys() ?? [])];
  return names.map((name) => {
    const result: QueueStep[] = [];
    for (const [at, step] of steps.entries()) {
      const before = steps[at - 1]?.queues.get(name);
      const after = step.queues.get(name);
      if (before === undefined || after === undefined) continue;
      const { event } = step.record;
      result.push({
        ...step,
        outcome: "queue" in event && event.queue === name ? step.outcome : undefined,
        changes: step.changes.filter(({ queue }) => queue === name),
        elapsed_ms: step.now_ms - steps[at - 1]!.now_ms,
        before,
        after,
      });
    }
    return result;
  });
}
