// How far something long has come: one line on a terminal, drawn anew, and gone at the end. Elsewhere nothing.

import type { Output } from "./watch/screen.ts";

/** Between two drawings, in milliseconds; the first is that late, too, so that what is short shows none. */
const EVERY_MS = 500;

export class Progress {
  readonly #output: Output;
  readonly #what: string;
  readonly #total: number;
  #drawn_ms = performance.now();
  #drawn = false;

  /** `what`: of what the total is, in words. */
  constructor(output: Output, what: string, total: number) {
    this.#output = output;
    this.#what = what;
    this.#total = total;
  }

  at(done: number): void {
    const now_ms = performance.now();
    if (this.#output.isTTY !== true || now_ms - this.#drawn_ms < EVERY_MS) return;
    this.#drawn_ms = now_ms;
    this.#drawn = true;
    const percent = Math.floor((done * 100) / Math.max(1, this.#total));
    this.#output.write(`\r\x1b[2Kusher: ${percent} % of ${this.#total} ${this.#what}`);
  }

  end(): void {
    if (this.#drawn) this.#output.write("\r\x1b[2K");
    this.#drawn = false;
  }
}
