// What is read of a node each time that somebody asks for its metrics.

/** How a node stands to the log; `AdminService.GetNode` says what each means. */
export type LogState = "current" | "stale" | "halted";

export interface Readings {
  readonly node: string;
  readonly version: string;
  /** It gives out tickets. */
  readonly ready: boolean;
  /** Connections on which a place is watched. */
  readonly streams: number;
  /** It keeps time. */
  readonly keepsTime: boolean;
  readonly term: number;
  /** Log time T, in ms. */
  readonly logTime_ms: number;
  readonly log: LogState;
  /** How long ago, in ms, it had read everything; Infinity before the first time. */
  readonly lag_ms: number;
  /** How far into the log it has read. */
  readonly asOf: number;
  /** What became of the entries that it has read since it started. */
  readonly records: { readonly folded: number; readonly ignored: number; readonly skipped: number };
  /** What its data take on the disk. */
  readonly data_bytes: number;
  readonly process: ProcessReadings;
  readonly queues: readonly QueueReadings[];
}

export interface QueueReadings {
  readonly name: string;
  readonly waiting: number;
  /** How long the first of those who wait has waited, in ms; absent while nobody waits. */
  readonly oldestWait_ms?: number | undefined;
  readonly active: number;
  /** Admissions since the queue was made. */
  readonly admissions: number;
}

export interface ProcessReadings {
  readonly resident_bytes: number;
  readonly heap_bytes: number;
  readonly cpu_s: number;
  /** When it started, in seconds since 1970. */
  readonly started_s: number;
  /** By how much the event loop was late since this was last read, in seconds, by quantile. */
  readonly loopDelay_s: Readonly<Record<"0.5" | "0.99" | "1", number>>;
}
