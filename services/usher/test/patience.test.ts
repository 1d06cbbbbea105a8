import { expect, test } from "vitest";
import { pause_ms, persist } from "../src/patience.ts";

const never = new AbortController().signal;

test("pauses grow to half a minute, and are never shorter than a second", () => {
  const longest = [1, 2, 3, 4, 5, 6, 1_000_000].map((failures) => pause_ms(failures, () => 1));
  expect(longest).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  for (const failures of [1, 5, 1_000_000]) expect(pause_ms(failures, () => 0)).toBe(1_000);
});

test("what fails is tried again, after a pause each time, until it does not", async () => {
  const failures: unknown[] = [];
  const waited: number[] = [];
  let attempts = 0;
  const brought = await persist(
    async () => {
      attempts++;
      if (attempts < 4) throw new Error(`attempt ${attempts}`);
      return "it";
    },
    { signal: never, failed: (error) => failures.push(error), wait: async (ms) => void waited.push(ms) },
  );
  expect(brought).toBe("it");
  expect(failures.map(String)).toEqual(["Error: attempt 1", "Error: attempt 2", "Error: attempt 3"]);
  expect(waited).toHaveLength(3);
});

test("a failure that no trying mends ends it", async () => {
  let attempts = 0;
  const persisting = persist(
    async () => {
      attempts++;
      throw new Error("no use");
    },
    {
      signal: never,
      failed: (error) => {
        throw error;
      },
    },
  );
  await expect(persisting).rejects.toThrow("no use");
  expect(attempts).toBe(1);
});

test("it stops in the middle of a pause when it is told to", async () => {
  const stopping = new AbortController();
  const failing = Promise.withResolvers<void>();
  const persisting = persist(() => Promise.reject(new Error("away")), {
    signal: stopping.signal,
    failed: () => failing.resolve(),
  });
  await failing.promise;
  stopping.abort(new Error("told to stop"));
  await expect(persisting).rejects.toThrow();
});

test("told to stop during an attempt, it tells nobody of what came of it, and tries no more", async () => {
  const stopping = new AbortController();
  const told: unknown[] = [];
  const persisting = persist(
    async () => {
      stopping.abort(new Error("told to stop"));
      throw new Error("away");
    },
    { signal: stopping.signal, failed: (error) => told.push(error) },
  );
  await expect(persisting).rejects.toThrow("told to stop");
  expect(told).toEqual([]);
});
