// What a README shows of a terminal: commands, and what they print. `…` stands for what differs from run to run: within
// a line, any characters; alone on a line, any lines.

export interface Shown {
  readonly command: string;
  readonly output: readonly string[];
}

/** The commands of all `console` blocks, in order. */
export function shownCommands(markdown: string): Shown[] {
  const blocks = [...markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
  const shown: { command: string; output: string[] }[] = [];
  for (const line of blocks.flatMap((block) => block.split("\n").slice(0, -1))) {
    if (line.startsWith("$ ")) shown.push({ command: line.slice(2), output: [] });
    else if (shown.length === 0) throw new Error(`a console block begins with output: ${line}`);
    else shown.at(-1)?.output.push(line);
  }
  return shown;
}

/** Whether a command printed what is shown of it. */
export function asShown(output: readonly string[], printed: string): boolean {
  const pattern = output.map((line) =>
    line === "…" ? "(?:.*\n)*?" : `${escaped(line).replaceAll("…", ".*?")}\n`,
  );
  return new RegExp(`^${pattern.join("")}$`).test(printed.replace(/([^\n])$/, "$1\n"));
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
