import { setTimeout as sleep } from "node:timers/promises";

/** Waits; sooner over when the signal aborts. */
export async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stop }).catch(() => {});
}
