// The whole log folded here, as a node folds it, from what a node streams.

import { ConnectError } from "@connectrpc/connect";
import { type Change, type LogRecord, NoGenesisError, type Outcome } from "@usher/queue";
import { type LogSource, Reader } from "@usher/replica";
import { type Follower, type Following, LogError, type Offset } from "@usher/ticket-log";
import { Failure } from "../../failure.ts";
import type { AdminClient } from "../client.ts";
import { Progress } from "../progress.ts";
import { readEntries } from "./entries.ts";

/** One record, and what the fold made of it. */
export interface Folded {
  readonly offset: Offset;
  readonly record: LogRecord;
  readonly outcome: Outcome;
  readonly changes: readonly Change[];
}

export interface Folding {
  readonly client: AdminClient;
  /** The fold is that of the log before this offset. */
  readonly until: Offset;
  /** Sees every record, after it was folded. */
  readonly see?: (folded: Folded, reader: Reader) => void;
}

/** Resolves when all of it has been folded. Throws a `ConnectError`, or a `Failure` for a log that cannot be folded. */
export async function foldLog({ client, until, see }: Folding): Promise<Reader> {
  const progress = new Progress(process.stderr, "entries of the log read", until);
  const log = new RemoteLog(client, until, (next) => progress.at(next));
  const reader = new Reader(log);
  if (see !== undefined) {
    reader.listen({
      folded: (record, outcome) =>
        see({ offset: log.offset, record, outcome, changes: reader.fold.takeChanges() }, reader),
      batch: () => {},
      halted: () => {},
    });
  }
  try {
    await reader.readToEnd();
    return reader;
  } catch (error) {
    throw explained(error);
  } finally {
    reader.close();
    progress.end();
  }
}

function explained(error: unknown): unknown {
  if (error instanceof LogError && error.code === "unavailable" && error.cause !== undefined)
    return error.cause;
  const said = error instanceof LogError || error instanceof NoGenesisError;
  return said ? new Failure(error.message, { cause: error }) : error;
}

/** A node's log, as a reader follows it: up to an offset, each entry by itself, so that it is known which one is being
 * folded. */
class RemoteLog implements LogSource {
  readonly #client: AdminClient;
  readonly #until: Offset;
  readonly #onStep: (next: Offset) => void;
  #offset: Offset = 0;

  /** `onStep`: told how far it has been delivered, now and then. */
  constructor(client: AdminClient, until: Offset, onStep: (next: Offset) => void) {
    this.#client = client;
    this.#until = until;
    this.#onStep = onStep;
  }

  /** The entry that is being delivered. */
  get offset(): Offset {
    return this.#offset;
  }

  async end(): Promise<Offset> {
    return this.#until;
  }

  follow(from: Offset, follower: Follower): Following {
    const stop = new AbortController();
    this.#deliver(from, follower, stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) follower.failed(unreadable(error));
    });
    return {
      // It is read once, and not kept up with.
      lag_ms: Number.POSITIVE_INFINITY,
      close: () => stop.abort(),
    };
  }

  async #deliver(from: Offset, follower: Follower, signal: AbortSignal): Promise<void> {
    if (from >= this.#until) return;
    const range = { from, until: this.#until };
    let reached = from;
    for await (const { entries, next } of readEntries(this.#client, range, signal)) {
      for (const entry of entries) {
        if (signal.aborted) return;
        this.#offset = entry.offset;
        follower.entries([entry], entry.offset + 1);
      }
      // The last that a node has read may be records of its store's own, of which it tells nothing but where they end.
      if (next > reached && entries.length === 0) follower.entries([], next);
      reached = next;
      this.#onStep(next);
    }
    if (signal.aborted || reached >= this.#until) return;
    throw new Failure(`the node's log ends before ${this.#until}, up to which it says that it has read it`);
  }
}

function unreadable(cause: unknown): LogError {
  const { message } = ConnectError.from(cause);
  return new LogError("unavailable", message, { cause });
}
