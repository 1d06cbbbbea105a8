// What a README shows of a terminal: commands, and what they print. `…` stands for what differs from run to run: within
// a line, any characters; alone on a line, any lines.

export interface Shown {
  readonly command: string;
  readonly output: readonly string[];
}

/** The commands of all `console` blocks of a page, in order. */
export function shownCommands(markdown: string): Shown[] {
  const blocks = [...markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
  return blocks.flatMap((block) => commandsIn(block.split("\n").slice(0, -1)));
}

/** The commands of a text that sets them, and what they print, in by three. */
export function indentedCommands(text: string): Shown[] {
  const lines = text.split("\n").filter((line) => line.startsWith("   "));
  const first = lines.findIndex((line) => line.startsWith("   $ "));
  return commandsIn(lines.slice(first).map((line) => line.slice(3)));
}

function commandsIn(lines: readonly string[]): Shown[] {
  const shown: { command: string; output: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith("$ ")) shown.push({ command: line.slice(2), output: [] });
    else if (shown.length === 0) throw new Error(`output, and no command before it: ${line}`);
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

/** The one code block of a page that is in the language and has the text in it. */
export function codeBlock(markdown: string, language: string, text: string): string {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm");
  const found = [...markdown.matchAll(fence)]
    .map(([, code = ""]) => code)
    .filter((code) => code.includes(text));
  const [code] = found;
  if (code === undefined || found.length > 1)
    throw new Error(`${found.length} blocks of ${language} have "${text}" in them`);
  return code;
}

/** The code blocks of a page in a language, by the names of files that they open with, `// name`. All have one. */
export function namedBlocks(markdown: string, language: string): ReadonlyMap<string, string> {
  const blocks = [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))];
  const named = blocks.map(([, code = ""]): [string, string] => {
    const name = /^\/\/ ([\w.]+)\n/.exec(code)?.[1];
    if (name === undefined) throw new Error(`a block of ${language} has no name: ${code}`);
    return [name, code];
  });
  const byName = new Map(named);
  if (byName.size < named.length) throw new Error(`two blocks of ${language} have the same name`);
  return byName;
}
