// Attempts to connect, counted by time since the loss.

/** Attempts are counted by tenths of a second, in milliseconds. */
export const BIN_MS = 100;

/** Those of one bin, and how many of them nobody took. */
export interface Attempts {
  /** When it began, in milliseconds of the wall clock. */
  readonly at_ms: number;
  readonly tried: number;
  readonly refused: number;
}

export interface Counts {
  /** Connections tried, by second, and how many of them were refused. */
  readonly tried: readonly number[];
  readonly refused: readonly number[];
  /** Connections tried in the busiest tenth of a second, and in the busiest second, wherever it begins. */
  readonly mostInTenth: number;
  readonly mostInSecond: number;
}

export function counted(attempts: readonly Attempts[], lost_ms: number): Counts {
  const by = (step_ms: number, what: "tried" | "refused"): number[] => {
    const sums: number[] = [];
    for (const one of attempts) {
      // The first bin has begun before the loss.
      const step = Math.floor(Math.max(0, one.at_ms - lost_ms) / step_ms);
      sums[step] = (sums[step] ?? 0) + one[what];
    }
    return whole(sums);
  };
  const tenths = by(BIN_MS, "tried");
  return {
    tried: by(1_000, "tried"),
    refused: by(1_000, "refused"),
    mostInTenth: Math.max(0, ...tenths),
    mostInSecond: Math.max(0, ...tenths.map((_, n) => total(tenths.slice(n, n + 1_000 / BIN_MS)))),
  };
}

export function total(counts: readonly number[]): number {
  return counts.reduce((a, b) => a + b, 0);
}

/** With zeros for holes. */
export function whole(counts: readonly number[]): number[] {
  return Array.from(counts, (count = 0) => count);
}
