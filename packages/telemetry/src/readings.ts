// What is read of a node each time that somebody asks for its metrics.

/** How a node stands to the log; `AdminService.GetNode` says what each means. */
export type LogState = "current" | "stale" | "halted";

export interface Readings {
  readonly node: string;
  readonly version: string;
  /** It gives out tickets. */
  readonly ready: boolean;
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
  readonly queues: readonly QueueReadings[];
}

export interface QueueReadings {
  readonly name: string;
  readonly waiting: number;
  readonly active: number;
  /** Admissions since the queue was made. */
  readonly admissions: number;
}
