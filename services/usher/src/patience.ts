// Trying again, for as long as it takes: what is out of reach comes back, and a program that ends meanwhile only has to
// be started again by somebody.

import { setTimeout as sleep } from "node:timers/promises";

/** Between two attempts, in milliseconds: at least a second, so that it is never a loop that only burns; at most half a
 * minute, after which whatever was mended may be noticed. */
const PAUSE_MS = { least: 1_000, most: 30_000 } as const;

/** The pause after so many failures: up to twice as long each time, and anything in between by chance, so that nodes
 * which lost the same log do not all come back to it in the same moment. */
export function pause_ms(failures: number, random: () => number = Math.random): number {
  const { least, most } = PAUSE_MS;
  return least + random() * (Math.min(most, least * 2 ** failures) - least);
}

export interface Persistence {
  /** Ends it: the promise rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Told of each failure. What it throws ends it, too. */
  readonly failed: (error: unknown) => void;
  /** Waits for so many milliseconds; rejects when the signal aborts. By default, by a timer. */
  readonly wait?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined;
}

/** Resolves with what the first attempt brings that does not fail. */
export async function persist<T>(attempt: () => Promise<T>, options: Persistence): Promise<T> {
  const { signal, failed, wait = (ms, signal) => sleep(ms, undefined, { signal }) } = options;
  for (let failures = 1; ; failures++) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      failed(error);
      await wait(pause_ms(failures), signal);
    }
  }
}
