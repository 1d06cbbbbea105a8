// The port of the log: one ordered sequence of entries, and payloads kept beside it. Entries are bytes here; what
// they mean is for the reader. Two adapters stand behind it, `sqlite/` and `kafka/`, and one contract suite
// (`test/contract.ts`) says what both must do.

/** Where an entry is in the log. Rises from entry to entry, with gaps where an adapter has them (Kafka). */
export type Offset = number;

/** What is appended. The log keeps the value, and may deliver it to followers, as it was handed over: it must not be
 * changed afterwards. */
export interface Entry {
  /** The queue's name, or "" for what concerns the whole log; Kafka's message key, for people to read. */
  readonly key: string;
  /** The encoded envelope. */
  readonly value: Uint8Array;
  /** W3C trace context and the like; absent mostly. Empty ones are read back as absent. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is read back. */
export interface StoredEntry extends Entry {
  readonly offset: Offset;
}

/** Names a payload: the writer session and sequence of the record that issued its ticket, and the attempt that an
 * answer belongs to (0: the request itself). */
export interface PayloadKey extends TicketKey {
  readonly attempt: number;
}

/** Names all payloads of a ticket. */
export interface TicketKey {
  readonly session: bigint;
  readonly sequence: number;
}

export interface Payload {
  readonly key: PayloadKey;
  readonly bytes: Uint8Array;
}

export interface AppendOptions {
  /** Made durable before the entry, or with it. */
  readonly payload?: Payload;
  /** Goes first in the next batch, before what waits already: for ticks, which every deadline hangs on. So it may
   * overtake the same writer's entries; what is folded in the order of a session's sequence wants a session of its
   * own for these. */
  readonly urgent?: boolean;
}

/** A serial, batching writer. Its entries get into the log in the order of the calls (urgent ones first in their
 * batch). After an append that failed with outcome "unknown" it takes nothing more: open another. */
export interface Writer {
  /** Resolves when the entry is durable. Rejects with a `LogError` that says whether it may be in the log. */
  append(entry: Entry, options?: AppendOptions): Promise<void>;
  /** Ends after what was appended before has ended. */
  close(): Promise<void>;
}

export interface Follower {
  /** Takes the next entries, in order, each once. `next` follows them: all below it has been delivered. It is more than
   * one beyond the last where an adapter has records of its own there (Kafka), and with nothing but those the batch is
   * empty. Runs to its end before the next call; must not throw. */
  entries(batch: readonly StoredEntry[], next: Offset): void;
  /** The log cannot be followed any further (a gap, another log, an offset past its end, closed by a fault). The last
   * call. There is none when the log is closed by its own `close`. */
  failed(error: LogError): void;
}

export interface Following {
  /** How long ago, in milliseconds, the follower is known to have had everything: 0 while it has all there is, about
   * the time between two looks at a log elsewhere, and ever more while that cannot be reached or brings more than the
   * follower takes. Infinity before the first time. */
  readonly lag_ms: number;
  /** Stops. No call reaches the follower after this returns. */
  close(): void;
}

export interface TicketLog {
  /** Whether other processes may have it open and write in it, too. */
  readonly shared: boolean;
  /** Throws a `LogError` when the log is closed or has failed. */
  openWriter(): Writer;
  /** Delivers every entry from `from` on, first those that are there, then those that come; never before this has
   * returned. Throws a `LogError` when the log is closed, has failed, or has too many followers. */
  follow(from: Offset, follower: Follower): Following;
  /** The offset that follows the last entry: who has folded all below it has read to the end. */
  end(): Promise<Offset>;
  /** Makes a payload durable that goes with no entry. The same key again replaces it. */
  putPayload(payload: Payload): Promise<void>;
  /** Absent: the store has it no more, whoever asks, or this process has dropped it. */
  getPayload(key: PayloadKey): Promise<Uint8Array | undefined>;
  /** Forgets payloads of tickets, of all attempts; no error where there are none. At most 10,000 tickets a call. */
  dropPayloads(keys: readonly TicketKey[]): Promise<void>;
  /** Forgets payloads stored longer ago than this, by the wall clock, in milliseconds: what no ticket came for. */
  dropPayloadsOlderThan(age_ms: number): Promise<void>;
  /** Waits for what was begun, then lets go of the store. Followers get no more from this call on, later calls reject
   * with code "closed", another `close` waits with the first. */
  close(): Promise<void>;
}

/**
 * - `closed`: the log, or this writer, was closed.
 * - `overloaded`: more waits to be written than the adapter's bound. Try again later.
 * - `too_large`: one entry, payload or list is larger than the adapter takes.
 * - `in_use`: another process has the store open.
 * - `disk_full`: no room on the disk.
 * - `unavailable`: the store cannot be reached, or failed. Try again later.
 * - `misconfigured`: the store refuses this node (credentials, rights), or has other settings than Usher needs. The
 *   message names the setting and what mends it. Try again when it is mended.
 * - `corrupt`: the store is damaged, is not an Usher log, or a newer Usher's. Halt.
 */
export type LogErrorCode =
  | "closed"
  | "overloaded"
  | "too_large"
  | "in_use"
  | "disk_full"
  | "unavailable"
  | "misconfigured"
  | "corrupt";

const RETRYABLE: ReadonlySet<LogErrorCode> = new Set<LogErrorCode>([
  "overloaded",
  "disk_full",
  "unavailable",
  "misconfigured",
]);

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

  /** Any error as a `LogError`; one that is none is "unavailable", of unknown outcome. */
  static from(error: unknown): LogError {
    if (error instanceof LogError) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new LogError("unavailable", message, { outcome: "unknown", cause: error });
  }

  /** Whether the same call may succeed later, on this store. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }
}
