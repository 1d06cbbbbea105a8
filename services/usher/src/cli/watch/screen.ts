// Where a place is shown: in a terminal, one line that is drawn anew; elsewhere (a file, a pipe), a line a change.

import { printable } from "../text.ts";

export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** The width taken for a terminal that tells none, or 0; in characters. */
const COLUMNS = 80;

export class Screen {
  readonly #output: Output;
  #key: string | undefined;
  #drawn = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Shows the words; where lines stay, only if `key` is another than the last one's. */
  show(words: string, key: string): void {
    const text = printable(words);
    if (this.#output.isTTY === true) {
      const width = (this.#output.columns || COLUMNS) - 1;
      // To the line's start, and the rest of the old text away.
      this.#output.write(`\r\x1b[2K${text.length <= width ? text : `${text.slice(0, width - 1)}…`}`);
      this.#drawn = true;
    } else if (key !== this.#key) {
      this.#output.write(`${text}\n`);
    }
    this.#key = key;
  }

  /** Leaves what is drawn where it is. */
  end(): void {
    if (this.#drawn) this.#output.write("\n");
    this.#drawn = false;
  }
}
