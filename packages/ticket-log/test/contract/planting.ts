// Puts a fault into an adapter, to see whether the contract's checks notice.

import type { AppendOptions, Entry, Follower, StoredEntry, TicketLog } from "../../src/log.ts";
import type { HarnessOptions, HarnessStore, LogHarness } from "./harness.ts";

export type Append = (entry: Entry, options?: AppendOptions) => Promise<void>;
export type Deliver = (batch: readonly StoredEntry[]) => void;

/** What a faulty log does differently; in all else it does as the real one. */
export interface Twist extends Partial<TicketLog> {
  /** A writer's `append`, made of the real one. */
  appends?(append: Append): Append;
  /** A follower's `entries`, made of the real one. */
  delivers?(deliver: Deliver): Deliver;
}

export interface Fault {
  /** What it does wrong. */
  readonly name: string;
  /** The twist in a log that was opened for the `opening`-th time on its store, from 1. */
  readonly twist?: (log: TicketLog, opening: number) => Twist;
  /** What it makes of the options that a log is opened with. */
  readonly options?: (options: HarnessOptions) => HarnessOptions;
  /** The names of the checks that notice. */
  readonly caughtBy: readonly string[];
}

/** The harness's stores, with the fault in each log that is opened on them. */
export function harnessWith(fault: Fault, harness: LogHarness): LogHarness {
  const faulty = (store: HarnessStore): HarnessStore => {
    let openings = 0;
    return {
      open: async (options = {}) => {
        const log = await store.open(fault.options?.(options) ?? options);
        return twisted(log, fault.twist?.(log, ++openings) ?? {});
      },
      // A faultless log looks at what a faulty one has left.
      killed: () => store.killed(),
      ...(store.other && { other: () => store.other?.() ?? store.killed() }),
      remove: () => store.remove(),
      // What a fault has lost never comes.
      ...(fault.twist && { patience_ms: 1_000 }),
    };
  };
  return { create: async () => faulty(await harness.create()) };
}

function twisted(log: TicketLog, { appends, delivers, ...rest }: Twist): TicketLog {
  return {
    shared: log.shared,
    openWriter() {
      const writer = log.openWriter();
      const append: Append = (entry, options) => writer.append(entry, options);
      return { append: appends?.(append) ?? append, close: () => writer.close() };
    },
    follow(from, follower) {
      let next = from;
      const deliver: Deliver = (batch) => follower.entries(batch, next);
      const delivered = delivers?.(deliver) ?? deliver;
      const entries: Follower["entries"] = (batch, after) => {
        next = after;
        delivered(batch);
      };
      return log.follow(from, { entries, failed: (error) => follower.failed(error) });
    },
    end: () => log.end(),
    putPayload: (payload) => log.putPayload(payload),
    getPayload: (key) => log.getPayload(key),
    dropPayloads: (keys) => log.dropPayloads(keys),
    dropPayloadsOlderThan: (age_ms) => log.dropPayloadsOlderThan(age_ms),
    close: () => log.close(),
    ...rest,
  };
}
