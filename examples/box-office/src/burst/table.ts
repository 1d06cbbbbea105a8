// Tables for the terminal.

/** Lays rows out in columns: the first to the left, the others to the right, two spaces between. A row of nothing
 * becomes a rule. */
export function layOut(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => width(row[column] ?? ""))),
  );
  const total = widths.reduce((sum, one) => sum + one + 2, -2);
  const lines = rows.map((row) => {
    if (row.length === 0) return "─".repeat(total);
    const cells = widths.map((wide, column) => {
      const cell = row[column] ?? "";
      const space = " ".repeat(wide - width(cell));
      return column === 0 ? cell + space : space + cell;
    });
    return cells.join("  ").trimEnd();
  });
  return `${lines.join("\n")}\n`;
}

/** Characters, not bytes. */
function width(text: string): number {
  return [...text].length;
}

/** 5000 as "5,000". */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** Milliseconds as "0.9 s". */
export function seconds(value_ms: number): string {
  return `${(value_ms / 1000).toFixed(1)} s`;
}
