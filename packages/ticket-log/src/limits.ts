// How much an adapter takes before it refuses, and how much it does at a time.

import { LogError } from "./log.ts";

/** What an adapter holds at most; each has a default, in brackets. */
export interface LogLimits {
  /** Appends, payloads and drops that were accepted and have not ended; about a second's worth (20,000). Beyond it:
   * "overloaded". */
  readonly pending_max: number;
  /** Their bytes together (64 MiB). Beyond it: "overloaded". */
  readonly pending_bytes_max: number;
  /** One entry: its key, value and headers, in bytes (512 KiB, a whole batch). Beyond it: "too_large". */
  readonly entry_bytes_max: number;
  /** One payload, in bytes (16 MiB). Beyond it: "too_large". */
  readonly payload_bytes_max: number;
  /** Payloads that are being fetched at once (1,000). Beyond it: "overloaded". */
  readonly payload_reads_max: number;
  /** Tickets whose payloads one call drops (10,000). Beyond it: "too_large". */
  readonly drops_max: number;
  /** Followers at once (256). Beyond it: "overloaded". */
  readonly followers_max: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const LOG_LIMITS: LogLimits = {
  pending_max: 20_000,
  pending_bytes_max: 64 * MiB,
  entry_bytes_max: 512 * KiB,
  payload_bytes_max: 16 * MiB,
  payload_reads_max: 1_000,
  drops_max: 10_000,
  followers_max: 256,
};

/** What one write to the store holds at most: enough to share its cost, little enough to be over soon. A single
 * larger entry or payload goes alone. */
export const BATCH = { records: 500, bytes: 512 * KiB } as const;

/** What a catching-up follower reads at a time. Larger than a batch, so that it catches up with a writer at full
 * speed; small enough (a few milliseconds) not to hold up the next write. */
export const READ = { records: 2_000, bytes: 2 * MiB } as const;

/** The defaults with what the caller set. Throws a `RangeError` for what cannot work. */
export function logLimits(set: Partial<LogLimits> = {}): LogLimits {
  const limits = { ...LOG_LIMITS, ...set };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${name}: ${value} is not a whole number from 1`);
  }
  if (limits.entry_bytes_max + limits.payload_bytes_max > limits.pending_bytes_max) {
    throw new RangeError(
      "pending_bytes_max: less than one entry with its payload, which could never be appended",
    );
  }
  return limits;
}

/** Refuses what is beyond its limit. */
export function refuseBeyond(limit: number, bytes: number, what: string): void {
  if (bytes <= limit) return;
  throw new LogError("too_large", `${what} of ${bytes} bytes is larger than the ${limit} that the log takes`);
}
