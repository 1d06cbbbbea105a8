// The busiest stretch of time.

/** The most of these moments that lie within any stretch of `length_ms`, its end excluded. */
export function busiest(times_ms: readonly number[], length_ms: number): number {
  const rising_ms = times_ms.toSorted((one, other) => one - other);
  let most = 0;
  let first = 0;
  for (const [last, time_ms] of rising_ms.entries()) {
    while (rising_ms[first]! <= time_ms - length_ms) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** The value that `part` (0 to 1) of all are at or below (nearest rank); undefined for none. */
export function percentile(values: readonly number[], part: number): number | undefined {
  const rising = values.toSorted((one, other) => one - other);
  return rising[Math.max(0, Math.ceil(part * rising.length) - 1)];
}
