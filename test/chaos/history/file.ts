// Files of lines, each a JSON value.

import { createWriteStream, type WriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { finished } from "node:stream/promises";

/** How many lines are kept for the checker; 1,000,000. A run of a minute writes some ten thousand. */
const LINES_MAX = 1_000_000;

/** Lines that go into a file, and are kept for the checker as well. */
export class Lines<Line> {
  readonly #file: WriteStream;
  readonly #kept: Line[] = [];

  constructor(path: string) {
    this.#file = createWriteStream(path);
  }

  get kept(): readonly Line[] {
    return this.#kept;
  }

  write(line: Line): void {
    if (this.#kept.length === LINES_MAX) throw new Error(`more than ${LINES_MAX} lines of history`);
    this.#kept.push(line);
    this.#file.write(`${JSON.stringify(line)}\n`);
  }

  async close(): Promise<void> {
    this.#file.end();
    await finished(this.#file);
  }
}

/** The lines of a file that was written so. */
export async function readLines<Line>(path: string): Promise<Line[]> {
  const text = await readFile(path, "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Line => JSON.parse(line));
}
