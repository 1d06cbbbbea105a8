// Words for a terminal. What others chose (a service, a broker, a client, a node that is asked) gets there through
// `visible`, `printable` or `word`: it makes no line, and nothing that a terminal obeys.

/** Characters of one cell of a table, 2,000: more than any setting may have. */
const CELL_MAX = 2_000;

/** Characters that a terminal may obey (as ESC), take for the end of a line (as U+2028), or let change the order of the
 * others (as U+202E), and those that nobody sees. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Rows as columns, each as wide as its widest cell. */
export function columns(table: readonly (readonly string[])[]): string {
  const rows = table.map((row) => row.map((cell) => bounded(visible(cell.slice(0, CELL_MAX + 1)), CELL_MAX)));
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

/** Without what a terminal would take for a command. What joins letters, as those of some scripts, stays. */
export function printable(text: string): string {
  return text.replace(/(?:(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}])+/gu, " ");
}

/** A value as one word: bare where it is plain, else in quotes, with nothing in it that a terminal obeys. */
export function word(text: string): string {
  if (/^[\w.:/+@-]+$/.test(text)) return text;
  return visible(JSON.stringify(text));
}

/** With the code in place of every character that a terminal would obey, or that nobody would see. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (found) => {
    const code = (found.codePointAt(0) ?? 0).toString(16);
    return `\\u{${code}}`;
  });
}

/** The same, of which a line stays one if it is indented: that of a list, or of where a fault came from. None can be
 * taken for the beginning of something else. */
export function visibleLines(text: string): string {
  return text
    .split(/\n(?= {2})/)
    .map(visible)
    .join("\n");
}

/** Its first characters, where there are more than so many. */
export function bounded(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1)}…`;
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
