// The seed of this run's random histories, and samples of them.

import fc from "fast-check";
import type { LogRecord } from "../src/index.ts";

/** Where nothing else is asked for, every run tests the same histories: a failure is the last change's. */
const SEED_DEFAULT = 20_261_122;

/** What `USHER_SEED` says, a whole number; for trying other histories, or repeating a failure. */
export const SEED = seedFrom(process.env.USHER_SEED);

export function sampleOf<T>(arbitrary: fc.Arbitrary<T>, numRuns: number): T[] {
  return fc.sample(arbitrary, { seed: SEED, numRuns });
}

/** Tries histories, and shows the smallest that fails. */
export function forAll(
  histories: fc.Arbitrary<readonly LogRecord[]>,
  numRuns: number,
  holds: (records: readonly LogRecord[]) => void,
): void {
  const property = fc.property(histories, holds);
  const { counterexample, errorInstance } = fc.check(property, { seed: SEED, numRuns });
  if (counterexample === null) return;
  const why = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  throw new Error(`${why}\nin this history, of seed ${SEED}:\n${counterexample[0].map(shown).join("\n")}`);
}

function shown({ session, sequence, event }: LogRecord, at: number): string {
  const fields = JSON.stringify(event, (_, value: unknown) =>
    typeof value === "bigint"
      ? `${value}`
      : value instanceof Uint8Array
        ? Buffer.from(value).toString("hex")
        : value,
  );
  return `  ${at} ${session}/${sequence} ${fields}`;
}

function seedFrom(asked: string | undefined): number {
  const seed = asked === undefined ? SEED_DEFAULT : Number(asked);
  if (!Number.isInteger(seed)) throw new Error(`USHER_SEED: "${asked}" is not a whole number`);
  console.info(`random histories of seed ${seed}; another: USHER_SEED=<whole number>`);
  return seed;
}
