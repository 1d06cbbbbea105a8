// The log in memory: every record is folded as it comes, by the reducer that the server has.

import { randomBytes } from "node:crypto";
import { type Change, Fold, type LogEvent, type Outcome } from "@usher/queue";

/** Which life of the queues a ticket is of, in hexadecimal, as its id says. */
const EPOCH_BYTES = 8;

/** Who writes: there is but one. */
const SESSION = 1n;
const NODE = "test";

export class MemoryLog {
  readonly fold = new Fold();
  readonly epoch = randomBytes(EPOCH_BYTES).toString("hex");
  readonly #wall_ms: () => number;
  readonly #onBatch: (changes: readonly Change[]) => void;
  #sequence = 0;

  /** `wall_ms`: what time it is for display. `onBatch`: told after each record. */
  constructor(wall_ms: () => number, onBatch: (changes: readonly Change[]) => void) {
    this.#wall_ms = wall_ms;
    this.#onBatch = onBatch;
    this.append({ kind: "genesis", id: this.epoch });
    this.append({ kind: "session_opened", former: 0n, node: NODE });
  }

  /** How many records it has: how far whatever is read of it is true. */
  get end(): number {
    return this.#sequence;
  }

  /** The record's own number, once it is there; of a ticket, its `origin`. */
  append(event: LogEvent): Outcome {
    const record = { session: SESSION, sequence: ++this.#sequence, wall_ms: this.#wall_ms(), event };
    const outcome = this.fold.apply(record);
    this.#onBatch(this.fold.takeChanges());
    return outcome;
  }
}
