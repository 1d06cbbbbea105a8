// Follows the log and folds it. Alone it is enough to know the queues; a replica adds the writing.

import { type Change, Fold, type LogRecord, type Outcome, type SessionId } from "@usher/queue";
import { type Following, LogError, type Offset, type StoredEntry, type TicketLog } from "@usher/ticket-log";
import { decodeRecord, FORMAT_LEVEL } from "./log/codec.ts";

export interface ReaderListener {
  /** After each record that was folded; with what it carried beside it. */
  folded(record: LogRecord, outcome: Outcome, headers: StoredEntry["headers"]): void;
  /** After each batch, which took so long to fold, in ms. */
  batch(changes: readonly Change[], took_ms: number): void;
  /** The log cannot be followed any further: this node knows nothing newer from here on. The last call. */
  halted(error: Error): void;
}

/** The part of a log that is for reading. */
export type LogSource = Pick<TicketLog, "end" | "follow">;

/** What became of the entries of a log. */
export interface RecordCounts {
  /** Records that had an effect, or whose wish was refused. */
  readonly folded: number;
  /** Records without any, such as duplicates. */
  readonly ignored: number;
  /** No records, passed over. */
  readonly skipped: number;
}

export class Reader {
  readonly fold = new Fold();
  readonly #log: LogSource;
  readonly #listeners = new Set<ReaderListener>();
  readonly #following: Following;
  #next: Offset = 0;
  readonly #records = { folded: 0, ignored: 0, skipped: 0 };
  #halted: Error | undefined;

  constructor(log: LogSource) {
    this.#log = log;
    this.#following = log.follow(0, {
      entries: (batch, next) => this.#take(batch, next),
      failed: (error) => this.#halt(error),
    });
  }

  /** The offset that follows what has been folded: how far into the log the fold is true. */
  get next(): Offset {
    return this.#next;
  }

  /** How long ago, in ms, all that was in the log had been folded; Infinity before the first time. */
  get lag_ms(): number {
    return this.#following.lag_ms;
  }

  /** What became of the entries that were read. */
  get records(): RecordCounts {
    return this.#records;
  }

  /** Why nothing more is read; absent while all is well. */
  get halted(): Error | undefined {
    return this.#halted;
  }

  /** The session that a node of this name opened last; 0: none that still counts. */
  lastSessionOf(node: string): SessionId {
    const { sessions } = this.fold;
    const own = sessions.entries().filter(({ id, closed }) => !closed && sessions.node(id) === node);
    return own.at(-1)?.id ?? 0n;
  }

  listen(listener: ReaderListener): void {
    this.#listeners.add(listener);
  }

  /** Resolves when all that was in the log at the time of the call has been folded. */
  async readToEnd(): Promise<void> {
    const end = await this.#log.end();
    while (this.#next < end) await this.nextBatch();
    if (this.#halted !== undefined) throw this.#halted;
  }

  /** Resolves with the next batch; rejects when there will be none. */
  nextBatch(): Promise<void> {
    if (this.#halted !== undefined) return Promise.reject(this.#halted);
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        this.#listeners.delete(listener);
        settle();
      };
      const listener: ReaderListener = {
        folded: () => {},
        batch: () => done(resolve),
        halted: (error) => done(() => reject(error)),
      };
      this.#listeners.add(listener);
    });
  }

  close(): void {
    this.#following.close();
    this.#halt(new LogError("closed", "this node is closed"));
  }

  #take(batch: readonly StoredEntry[], next: Offset): void {
    const began_ms = performance.now();
    try {
      for (const entry of batch) this.#fold(entry);
      // The log's end may be beyond the last entry.
      this.#next = next;
    } catch (error) {
      this.#following.close();
      this.#halt(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    const changes = this.fold.takeChanges();
    const took_ms = performance.now() - began_ms;
    for (const listener of [...this.#listeners]) listener.batch(changes, took_ms);
  }

  #fold(entry: StoredEntry): void {
    const decoded = decodeRecord(entry.value);
    if (decoded.kind === "record") {
      const { record } = decoded;
      const outcome = this.fold.apply(record);
      this.#records[outcome.kind === "ignored" ? "ignored" : "folded"]++;
      for (const listener of this.#listeners) listener.folded(record, outcome, entry.headers);
    } else if (decoded.kind === "newer" && this.#mayCount(decoded.session)) {
      throw new LogError(
        "corrupt",
        `the log's record ${entry.offset} is of format level ${decoded.format_level}, and this build reads up to ` +
          `${FORMAT_LEVEL}: run a newer Usher on this log`,
      );
    } else {
      this.#records.skipped++;
    }
    this.#next = entry.offset + 1;
  }

  /** Whether a record of that session may have an effect that this build cannot know. Where the log begins with one
   * that it cannot read, any may. */
  #mayCount(session: SessionId): boolean {
    return this.fold.genesis === undefined || this.fold.sessions.open(session);
  }

  #halt(error: Error): void {
    if (this.#halted !== undefined) return;
    this.#halted = error;
    for (const listener of [...this.#listeners]) listener.halted(error);
  }
}
