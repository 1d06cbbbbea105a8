// Group commit: while the worker writes one batch, the next gathers. There is no delay to wait for more: the slower
// the disk, the larger the batches. (A second batch at the worker, to begin with at once, was measured: no faster, and
// what is urgent would wait for two.)

import { pack } from "../batch.ts";
import type { LogLimits } from "../limits.ts";
import type { LogError, Offset, StoredEntry } from "../log.ts";
import { DROP_BYTES, type Ended, type Operation } from "../operation.ts";
import { Pending } from "../pending.ts";
import { Turns } from "../turns.ts";
import { errorOf } from "./errors.ts";
import type { LogRequests, LogThread } from "./messages.ts";
import type { Done } from "./thread.ts";

type Written = LogRequests["write"]["answer"];

export interface CommitsOptions {
  readonly thread: LogThread;
  readonly limits: LogLimits;
  /** The wall clock, in milliseconds. */
  readonly now: () => number;
  /** Gets what has become durable, in order. Must not throw. */
  readonly committed: (entries: readonly StoredEntry[]) => void;
}

export class Commits {
  readonly #options: CommitsOptions;
  readonly #pending: Pending;
  readonly #turns = new Turns<Operation>();
  #writing = false;
  #scheduled = false;

  constructor(options: CommitsOptions) {
    this.#options = options;
    this.#pending = new Pending(options.limits);
  }

  /** Throws "overloaded"; any later end is told to the operation. */
  add(operation: Operation): void {
    this.#pending.enter(operation.bytes);
    this.#turns.add(operation);
    // Not at once: what else the same turn of the event loop brings goes into the same batch.
    if (this.#scheduled || this.#writing) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#write();
    });
  }

  /** Forgets payloads stored before a time, some at a time, so that batches get their turn between. Throws
   * "overloaded". */
  expire(before_ms: number, ended: Ended): void {
    this.#pending.enter(DROP_BYTES);
    const next = () => {
      this.#options.thread.ask("expire", { before_ms }, (error, answer) => {
        if (answer?.more) return next();
        ended(error);
        this.#pending.leave(DROP_BYTES);
      });
    };
    next();
  }

  /** Resolves when all that was accepted has ended. */
  idle(): Promise<void> {
    return this.#pending.idle();
  }

  /** Hands over a batch, unless one is being written. Should the thread have failed, it refuses at once: what waits
   * ends batch by batch. */
  #write(): void {
    if (this.#writing || !this.#turns.waiting) return;
    const { thread, now } = this.#options;
    const operations = this.#turns.take();
    const batch = pack(operations.map(({ record }) => record));
    const done: Done<Written> = (error, answer) => this.#written(operations, error, answer);
    this.#writing = true;
    thread.ask("write", { batch, now_ms: now() }, done, batch.buffer);
  }

  #written(batch: readonly Operation[], error: LogError | undefined, answer: Written | undefined): void {
    this.#writing = false;
    this.#write();
    const full = answer?.full && errorOf(answer.full);
    if (answer && !full) this.#options.committed(stored(batch, answer.first));
    for (const { record, bytes, ended } of batch) {
      ended(record.drops ? error : (error ?? full));
      this.#pending.leave(bytes);
    }
  }
}

/** The batch's entries as followers get them. */
function stored(batch: readonly Operation[], first: Offset): StoredEntry[] {
  const entries: StoredEntry[] = [];
  for (const { entry } of batch) {
    if (entry) entries.push({ offset: first + entries.length, ...entry });
  }
  return entries;
}
