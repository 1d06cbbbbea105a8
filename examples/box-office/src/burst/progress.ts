// Shows how far a burst is: a bar on a terminal, a line for each tenth elsewhere.

import type { CrowdProgress } from "./crowd.ts";
import { count, seconds } from "./table.ts";

const BAR_WIDTH = 30;

/** Standard output, standard error, or whatever takes text. */
export interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class ProgressBar {
  readonly #name: string;
  readonly #out: Screen;
  readonly #from_ms = performance.now();
  #tenths = -1;

  constructor(name: string, out: Screen) {
    this.#name = name;
    this.#out = out;
  }

  show(progress: CrowdProgress): void {
    const { buyers, answered, failed, unknown, lost } = progress;
    const part = (answered + failed + unknown + lost) / buyers;
    if (this.#out.isTTY) {
      this.#out.write(`\r${this.#name} ${bar(part)} ${this.#words(progress)}\u001b[K`);
      return;
    }
    const tenths = Math.floor(part * 10);
    if (tenths === this.#tenths) return;
    this.#tenths = tenths;
    this.#out.write(`${this.#name} ${`${tenths * 10}`.padStart(3)} % ${this.#words(progress)}\n`);
  }

  /** Leaves the last state standing. */
  close(): void {
    if (this.#out.isTTY) this.#out.write("\n");
  }

  #words({ come, answered, failed, unknown }: CrowdProgress): string {
    const parts = [`${count(come)} came`, `${count(answered)} answered`];
    if (failed > 0) parts.push(`${count(failed)} failed`);
    if (unknown > 0) parts.push(`${count(unknown)} unknown`);
    return `${parts.join(", ")}, ${seconds(performance.now() - this.#from_ms)}`;
  }
}

function bar(part: number): string {
  const full = Math.round(part * BAR_WIDTH);
  return "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
}
