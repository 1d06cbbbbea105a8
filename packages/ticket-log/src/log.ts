// The port of the log: one ordered sequence of entries, and payloads kept beside it. Entries are bytes here; what
// they mean is for the reader. Two adapters stand behind it, `sqlite/` and (later) `kafka/`, and one contract suite
// (`test/contract.ts`) says what both must do.

/** Where an entry is in the log. Rises from entry to entry, with gaps where an adapter has them (Kafka). */
export type Offset = number;

/** What is appended. */
export interface Entry {
  /** The queue's name, or "" for what concerns the whole log; Kafka's message key, for people to read. */
  readonly key: string;
  /** The encoded envelope. */
  readonly value: Uint8Array;
  /** W3C trace context and the like; absent mostly. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is read back. */
export interface StoredEntry extends Entry {
  readonly offset: Offset;
}

/** Names a payload: the writer session and sequence of the record that issued its ticket, and the attempt that an
 * answer belongs to (0: the request itself). */
export interface PayloadKey {
  readonly session: bigint;
  readonly sequence: number;
  readonly attempt: number;
}

export interface Payload {
  readonly key: PayloadKey;
  readonly bytes: Uint8Array;
}

export interface AppendOptions {
  /** Made durable before the entry, or with it. */
  readonly payload?: Payload;
  /** Goes first in the next batch, before what waits already: for ticks, which every deadline hangs on. */
  readonly urgent?: boolean;
}

/** One serial, batching writer. Its entries get into the log in the order of the calls (urgent ones first in their
 * batch). After an append that failed with outcome "unknown" it takes nothing more: open another. */
export interface Writer {
  /** Resolves when the entry is durable. Rejects with a `LogError` that says whether it may be in the log. */
  append(entry: Entry, options?: AppendOptions): Promise<void>;
  /** Ends after what was appended before has ended. */
  close(): Promise<void>;
}

export interface Follower {
  /** Takes the next entries, in order, each once. Runs to its end before the next call; must not throw. */
  entries(batch: readonly StoredEntry[]): void;
  /** The log cannot be followed any further (a gap, another log, closed by a fault). The last call. */
  failed(error: LogError): void;
}

export interface Following {
  /** Stops. No call reaches the follower after this returns. */
  close(): void;
}

export interface TicketLog {
  openWriter(): Writer;
  /** Delivers every entry from `from` on, first those that are there, then those that come. */
  follow(from: Offset, follower: Follower): Following;
  /** The offset that follows the last entry: who has folded all below it has read to the end. */
  end(): Promise<Offset>;
  putPayload(payload: Payload): Promise<void>;
  /** Absent: not here (any more). */
  getPayload(key: PayloadKey): Promise<Uint8Array | undefined>;
  /** Forgets payloads of a session and sequence; no error where there are none. */
  dropPayloads(keys: readonly Omit<PayloadKey, "attempt">[]): Promise<void>;
  /** Forgets payloads stored longer ago than this, by the wall clock, in milliseconds: what no ticket came for. */
  dropPayloadsOlderThan(age_ms: number): Promise<void>;
  /** Waits for what was begun, then lets go of the store. Later calls reject with code "closed". */
  close(): Promise<void>;
}

/**
 * - `closed`: the log, or this writer, was closed.
 * - `overloaded`: more waits to be written than the adapter's bound. Try again later.
 * - `too_large`: one entry or payload is larger than the adapter takes.
 * - `in_use`: another process has the store open.
 * - `disk_full`: no room on the disk.
 * - `unavailable`: the store cannot be reached, or failed. Try again later.
 * - `corrupt`: the store is damaged, or is not an Usher log. Halt.
 */
export type LogErrorCode =
  | "closed"
  | "overloaded"
  | "too_large"
  | "in_use"
  | "disk_full"
  | "unavailable"
  | "corrupt";

export class LogError extends Error {
  override readonly name = "LogError";
  readonly code: LogErrorCode;
  /** "refused": surely nothing was written. "unknown": it may have been. */
  readonly outcome: "refused" | "unknown";

  constructor(
    code: LogErrorCode,
    message: string,
    options?: { outcome?: "refused" | "unknown"; cause?: unknown },
  ) {
    super(message, { cause: options?.cause });
    this.code = code;
    this.outcome = options?.outcome ?? "refused";
  }

  /** Whether the same call may succeed later, on this store. */
  get retryable(): boolean {
    return this.code === "overloaded" || this.code === "disk_full" || this.code === "unavailable";
  }
}
