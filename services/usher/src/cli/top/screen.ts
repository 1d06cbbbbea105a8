// The whole terminal, drawn anew in place; it is given back as it was, however the program ends.

import type { Output } from "../watch/screen.ts";
import type { Room } from "./view.ts";

export interface Terminal extends Output {
  readonly rows?: number;
  on(event: "resize", listener: () => void): unknown;
  off(event: "resize", listener: () => void): unknown;
}

/** The size taken for a terminal that tells none, or 0. */
const SIZE: Room = { columns: 80, rows: 24 };

const ESCAPE = "\x1b[";
/** The alternate screen, without a cursor; and back. */
const ENTER = `${ESCAPE}?1049h${ESCAPE}?25l`;
const LEAVE = `${ESCAPE}?25h${ESCAPE}?1049l`;

export class FullScreen {
  readonly #terminal: Terminal;
  readonly #lines: (room: Room) => readonly string[];
  #open = true;
  readonly #leave = () => this.close();

  /** `lines`: what is to be seen, in the room that there is. */
  constructor(terminal: Terminal, lines: (room: Room) => readonly string[]) {
    this.#terminal = terminal;
    this.#lines = lines;
    terminal.write(ENTER);
    terminal.on("resize", this.draw);
    process.once("exit", this.#leave);
  }

  readonly draw = (): void => {
    if (!this.#open) return;
    const { columns, rows } = this.#terminal;
    // Not in the last column: a terminal that stands there erases what it has just written.
    const lines = this.#lines({ columns: (columns || SIZE.columns) - 1, rows: rows || SIZE.rows });
    // Each line over the old one, and what is left of it away; then all that is below.
    const text = lines.map((line) => `${line}${ESCAPE}K`).join("\r\n");
    this.#terminal.write(`${ESCAPE}H${text}${ESCAPE}J`);
  };

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#terminal.off("resize", this.draw);
    process.off("exit", this.#leave);
    this.#terminal.write(LEAVE);
  }
}
