// Group commit: while the worker writes one batch, the next gathers. There is no delay to wait for more: the slower
// the disk, the larger the batches. (A second batch at the worker, to begin with at once, was measured: no faster, and
// what is urgent would wait for two.)

import type { LogLimits } from "../limits.ts";
import type { LogError, Offset, StoredEntry } from "../log.ts";
import { pack } from "./batch.ts";
import { errorOf } from "./errors.ts";
import type { Answers } from "./messages.ts";
import { DROP_BYTES, type Ended, type Operation } from "./operation.ts";
import { Pending } from "./pending.ts";
import type { Done, Thread } from "./thread.ts";

export interface CommitsOptions {
  readonly thread: Thread;
  readonly limits: LogLimits;
  /** The wall clock, in milliseconds. */
  readonly now: () => number;
  /** Gets what has become durable, in order. Must not throw. */
  readonly committed: (entries: readonly StoredEntry[]) => void;
}

export class Commits {
  readonly #options: CommitsOptions;
  readonly #pending: Pending;
  #writing = false;
  #scheduled = false;
  readonly #idle: (() => void)[] = [];

  constructor(options: CommitsOptions) {
    this.#options = options;
    this.#pending = new Pending(options.limits);
  }

  /** Throws "overloaded"; any later end is told to the operation. */
  add(operation: Operation): void {
    this.#pending.add(operation);
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
        this.#pending.leave(DROP_BYTES);
        ended(error);
        this.#tellIdle();
      });
    };
    next();
  }

  /** Resolves when all that was accepted has ended. */
  async idle(): Promise<void> {
    if (this.#pending.held === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Hands over a batch, unless one is being written. Should the thread have failed, it refuses at once: what waits
   * ends batch by batch. */
  #write(): void {
    if (this.#writing || !this.#pending.waiting) return;
    const { thread, now } = this.#options;
    const operations = this.#pending.take();
    const batch = pack(operations.map(({ record }) => record));
    const done: Done<"write"> = (error, answer) => this.#written(operations, error, answer);
    this.#writing = true;
    thread.ask("write", { batch, now_ms: now() }, done, batch.buffer);
  }

  #written(
    batch: readonly Operation[],
    error: LogError | undefined,
    answer: Answers["write"] | undefined,
  ): void {
    this.#writing = false;
    this.#write();
    const full = answer?.full && errorOf(answer.full);
    if (answer && !full) this.#options.committed(stored(batch, answer.first));
    for (const { record, bytes, ended } of batch) {
      this.#pending.leave(bytes);
      ended(record.drops ? error : (error ?? full));
    }
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#pending.held > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
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
