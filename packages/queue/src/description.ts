// The whole state in plain values, always in the same order: what two replicas that have read the same records must
// agree on to the last bit. `fold.describe()` tells what is the log's own, `queue.describe()` what is one queue's.
//
//   encoding.ts   as bytes, for a digest          difference.ts   in words, where two are not the same
//
// Told is what the answer to any later record or question depends on, and the answers themselves where something beside
// what they come from is kept to find them quickly (places in the line, tickets by key). Not told is how it lies in
// memory.

export type Value = number | bigint | string | boolean | undefined | readonly number[];

/** In the order in which they are told: those of the log, then those of a queue. */
export const PART_KINDS = [
  ...["log", "session", "queue"],
  ...["settings", "state", "admit", "active", "deadline", "ended", "ticket"],
] as const;

/**
 * - `log`: time and term. `session`: one writer, in the order in which they came to be known. `queue`: its name, in the
 *   order in which they were made.
 * - `settings`, `state`: a queue's; one of each.
 * - `admit`: a request id of Admit, in their order. `active`: a ticket in a slot, in the order in which they took them.
 *   `deadline`: what a ticket in a slot awaits, the earliest first. `ended`: a ticket that is remembered, in the order of
 *   their end.
 * - `ticket`: one that is not forgotten, by number.
 */
export type PartKind = (typeof PART_KINDS)[number];

export interface Part {
  readonly kind: PartKind;
  /** Which of its kind; empty where there is one. */
  readonly id: number | bigint | string;
  /** Always the same names, in the same order, for one kind. */
  readonly fields: Readonly<Record<string, Value>>;
}

/** What can be told whole. Only until the next record is folded is what it tells of one piece. */
export interface Described {
  describe(): Iterable<Part>;
}

/** A log with its queues. */
export interface DescribedLog extends Described {
  queues(): Iterable<Described & { readonly name: string }>;
}
