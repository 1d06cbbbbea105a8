// Time that passes when a test says so. What reaches the log goes there in real turns of the event loop, which
// `turns` awaits; the clocks and timers of the code under test stand still meanwhile.

import { afterEach, beforeEach, vi } from "vitest";

/** How many turns it takes at most until what one step began has come back from the log in memory, and been acted on;
 * twice that. */
const TURNS = 12;

/** Between two looks at the timers, in ms: below the shortest pause of the code under test. */
const STEP_MS = 10;

/** Stops the clocks for every test of the file. */
export function stopClocks(): void {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
      now: Date.UTC(2026, 10, 1),
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Lets everything happen that needs no time. */
export async function turns(count = TURNS): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets time pass. */
export async function pass(ms: number): Promise<void> {
  await turns();
  for (let left_ms = ms; left_ms > 0; left_ms -= STEP_MS) {
    vi.advanceTimersByTime(Math.min(STEP_MS, left_ms));
    await turns();
  }
}

/** Lets time pass until something has ended. */
export async function passing<T>(work: Promise<T>): Promise<T> {
  let over = false;
  const done = () => {
    over = true;
  };
  work.then(done, done);
  for (await turns(); !over; ) await pass(STEP_MS);
  return work;
}
