// Rows as text: a table that grows downwards, or JSON.

import type { Row } from "./report.ts";

/** From this width on, a queue's name is cut. */
const NAME_WIDTH = 20;

const COLUMNS: readonly (readonly [name: string, width: number, cell: (row: Row) => string])[] = [
  ["minute", 17, ({ minute }) => minute],
  ["queue", NAME_WIDTH, ({ queue }) => queue.slice(0, NAME_WIDTH)],
  ["tickets", 8, ({ tickets }) => count(tickets)],
  ["again", 7, ({ again }) => count(again)],
  ["refused", 8, ({ refused }) => count(refused)],
  ["claimed", 8, ({ claimed }) => count(claimed)],
  ["wait p50", 9, ({ waits_ms }) => seconds(quantile(waits_ms, 0.5))],
  ["p90", 8, ({ waits_ms }) => seconds(quantile(waits_ms, 0.9))],
  ["2xx", 7, ({ answered }) => count(answered[2])],
  ["3xx", 5, ({ answered }) => count(answered[3])],
  ["4xx", 6, ({ answered }) => count(answered[4])],
  ["5xx", 6, ({ answered }) => count(answered[5])],
  ["failed", 7, ({ failed }) => count(failed)],
  ["unknown", 8, ({ unknown }) => count(unknown)],
  ["left", 6, ({ left }) => count(left)],
  ["expired", 8, ({ expired }) => count(expired)],
  ["completed", 10, ({ completed }) => count(completed)],
];

export const heading = line(COLUMNS.map(([name]) => name));

export function text(row: Row): string {
  return line(COLUMNS.map(([, , cell]) => cell(row)));
}

/** One line of JSON. */
export function json({ waits_ms, answered, ...row }: Row): string {
  return JSON.stringify({
    ...row,
    wait_p50_ms: quantile(waits_ms, 0.5) ?? null,
    wait_p90_ms: quantile(waits_ms, 0.9) ?? null,
    answered: Object.fromEntries([1, 2, 3, 4, 5].map((digit) => [`${digit}xx`, answered[digit]])),
  });
}

/** The first two columns to the left, the others to the right. */
function line(cells: readonly string[]): string {
  const padded = COLUMNS.map(([, width], index) => {
    const cell = cells[index] ?? "";
    return index < 2 ? cell.padEnd(width) : cell.padStart(width);
  });
  return padded.join(" ").trimEnd();
}

/** A dot for nothing, so that what is there is seen. */
function count(value = 0): string {
  return value === 0 ? "·" : value.toLocaleString("en-US");
}

function seconds(value_ms: number | undefined): string {
  return value_ms === undefined ? "·" : `${(value_ms / 1000).toFixed(1)} s`;
}

/** The value that `part` (0 to 1) of all are at or below (nearest rank); undefined for none. */
export function quantile(values: readonly number[], part: number): number | undefined {
  const rising = values.toSorted((one, other) => one - other);
  return rising[Math.max(0, Math.ceil(part * rising.length) - 1)];
}
