// Words for a terminal.

/** Rows as columns, each as wide as its widest cell. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Without what a terminal would take for a command. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}

/** A value as one word: bare where it is plain, else in quotes, with nothing in it that a terminal obeys. */
export function word(text: string): string {
  if (/^[\w.:/+@-]+$/.test(text)) return text;
  return visible(JSON.stringify(text));
}

/** With the code in place of every character that a terminal would obey, or that nobody would see. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (found) => {
    const code = (found.codePointAt(0) ?? 0).toString(16);
    return `\\u{${code}}`;
  });
}

/** Milliseconds as seconds, to the hundredth: `12.34 s`. */
export function secondsText(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

/** A moment by somebody's wall clock, in ISO 8601; whatever else a broken clock wrote, as it is. */
export function momentText(wall_ms: number): string {
  const date = new Date(wall_ms);
  return Number.isNaN(date.getTime()) ? `${wall_ms} ms` : date.toISOString();
}
