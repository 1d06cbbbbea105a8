/** One message of the log, as a consumer of its own read it. */
export interface LogEntry {
  readonly offset: number;
  /** Absent: the message had none. */
  readonly key: string | undefined;
  readonly value: Uint8Array;
}
