// The embedded log: one SQLite database, for one process. The map of this folder:
//
//   log.ts         opens it and puts the parts together
//   commits.ts     group commit
//   follower.ts    followers: catching up, then live
//   thread.ts      the main thread's end of the worker; messages.ts: what they say; serving.ts: the worker's end
//   worker.ts      the thread that owns the database: store.ts and schema.ts (the tables), database.ts (opening)
//   directory.ts   the files' place;  errors.ts: what SQLite's errors mean here
//
// A log is open, then closing (what was accepted is written), then closed; or it fails, and is only to be closed.

import { type LogLimits, logLimits } from "../limits.ts";
import {
  type Follower,
  type Following,
  LogError,
  type Offset,
  type Payload,
  type PayloadKey,
  type TicketKey,
  type TicketLog,
  type Writer,
} from "../log.ts";
import { change, checkKey, drop, put } from "../operation.ts";
import { LogWriter } from "../writer.ts";
import { Commits } from "./commits.ts";
import { prepareDirectory } from "./directory.ts";
import { Followers } from "./follower.ts";
import { LOG_PROGRAM, type LogRequests, type LogThread, type Opened, type Settings } from "./messages.ts";
import { Thread } from "./thread.ts";

const FILE = "log.db";

const FILE_BYTES_LEAST = 1024 * 1024;

export interface SqliteLogOptions {
  /** Where the log is kept; made, for its owner alone, when it is missing. */
  readonly directory: string;
  readonly limits?: Partial<LogLimits>;
  /** The largest that the database's file may grow to, in bytes, from 1 MiB; absent: as large as the disk. Beyond it:
   * "disk_full". Room that payloads leave is used again. The write-ahead log beside it takes about 4 MiB more. */
  readonly file_bytes_max?: number;
  /** The wall clock by which payloads age, in milliseconds; `Date.now`. */
  readonly now?: () => number;
}

/**
 * Opens the log in a directory, which no other process may have open.
 *
 * Rejects with a `LogError`: "in_use"; "corrupt" (damaged, not an Usher log, or a newer Usher's); "disk_full";
 * "unavailable" (no permission, and the like).
 */
export async function openSqliteLog(options: SqliteLogOptions): Promise<TicketLog> {
  const limits = logLimits(options.limits);
  const { file_bytes_max = FILE_BYTES_LEAST } = options;
  if (!(file_bytes_max >= FILE_BYTES_LEAST))
    throw new RangeError(`file_bytes_max: ${file_bytes_max} is too little`);
  const file = await prepareDirectory(options.directory, FILE);
  const settings: Settings = { file, file_bytes_max: options.file_bytes_max };
  const { thread, opened } = await Thread.start<LogRequests, Opened>(LOG_PROGRAM, settings);
  return new SqliteLog(thread, opened.end, limits, options.now ?? Date.now);
}

class SqliteLog implements TicketLog {
  readonly shared = false;
  readonly #thread: LogThread;
  readonly #limits: LogLimits;
  readonly #now: () => number;
  readonly #followers: Followers;
  readonly #commits: Commits;
  #payloadReads = 0;
  #closing: Promise<void> | undefined;
  #failure: LogError | undefined;

  constructor(thread: LogThread, end: Offset, limits: LogLimits, now: () => number) {
    this.#thread = thread;
    this.#limits = limits;
    this.#now = now;
    this.#followers = new Followers(thread, end, limits.followers_max);
    this.#commits = new Commits({
      thread,
      limits,
      now,
      committed: (entries) => this.#followers.committed(entries),
    });
    thread.onFailure((error) => {
      this.#failure = error;
      this.#followers.fail(error);
    });
  }

  openWriter(): Writer {
    this.#demandOpen();
    return new LogWriter({
      limits: this.#limits,
      add: (operation) => this.#commits.add(operation),
      refusal: () => this.#refusal(),
    });
  }

  follow(from: Offset, follower: Follower): Following {
    this.#demandOpen();
    return this.#followers.follow(from, follower);
  }

  async end(): Promise<Offset> {
    this.#demandOpen();
    return this.#followers.end;
  }

  putPayload(payload: Payload): Promise<void> {
    return change((ended) => {
      this.#demandOpen();
      this.#commits.add(put(payload, this.#limits, ended));
    });
  }

  dropPayloads(keys: readonly TicketKey[]): Promise<void> {
    return change((ended) => {
      this.#demandOpen();
      this.#commits.add(drop(keys, this.#limits, ended));
    });
  }

  dropPayloadsOlderThan(age_ms: number): Promise<void> {
    return change((ended) => {
      this.#demandOpen();
      if (!(age_ms >= 0)) throw new RangeError(`${age_ms} ms is not an age`);
      this.#commits.expire(this.#now() - age_ms, ended);
    });
  }

  async getPayload(key: PayloadKey): Promise<Uint8Array | undefined> {
    this.#demandOpen();
    checkKey(key);
    const { payload_reads_max } = this.#limits;
    if (this.#payloadReads >= payload_reads_max) {
      throw new LogError("overloaded", `${payload_reads_max} payloads are being fetched already`);
    }
    this.#payloadReads++;
    return new Promise((resolve, reject) => {
      this.#thread.ask("payload", { key }, (error, answer) => {
        this.#payloadReads--;
        if (answer) resolve(answer.bytes);
        else reject(error);
      });
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#followers.close();
    await this.#commits.idle();
    // Fetches that are under way were asked for before this is, and so are answered before.
    await this.#thread.close();
  }

  #demandOpen(): void {
    const refusal = this.#refusal();
    if (refusal) throw refusal;
  }

  #refusal(): LogError | undefined {
    if (this.#closing) return new LogError("closed", "the log was closed");
    if (this.#failure)
      return new LogError(this.#failure.code, this.#failure.message, { cause: this.#failure });
    return undefined;
  }
}
