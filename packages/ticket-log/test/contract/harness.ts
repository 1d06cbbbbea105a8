// What the contract suite needs of an adapter.

import type { LogLimits } from "../../src/limits.ts";
import type { TicketLog } from "../../src/log.ts";

export interface LogHarness {
  /** A new, empty store. */
  create(): Promise<HarnessStore>;
}

/** Where a log is kept. At most one log is open on it at a time. */
export interface HarnessStore {
  open(options?: HarnessOptions): Promise<TicketLog>;
  /** The same log as another node has it, which may be open at the same time. Absent: it is one process's. */
  other?(): Promise<HarnessStore>;
  /** The store as another process would find it, were the one that has it open killed now. */
  killed(): Promise<HarnessStore>;
  /** Closes what is open on it, and deletes it, and those that `killed` and `other` gave. */
  remove(): Promise<void>;
  /** How long to wait, in milliseconds, for what must come, before calling it lost; 20,000. */
  readonly patience_ms?: number;
}

export interface HarnessOptions {
  readonly limits?: Partial<LogLimits>;
  /** The wall clock that payloads age by, in milliseconds. */
  readonly now?: () => number;
}

export interface LogCheck {
  /** What holds, as a sentence. */
  readonly name: string;
  /** Throws when it does not hold. */
  run(store: HarnessStore): Promise<void>;
}
