// A writer of any adapter: one producer's view of the log.

import type { LogLimits } from "./limits.ts";
import { type AppendOptions, type Entry, LogError, type Writer } from "./log.ts";
import { append, type Operation } from "./operation.ts";

export interface WriterOptions {
  readonly limits: LogLimits;
  /** Takes what is to be written. Throws "overloaded". */
  readonly add: (operation: Operation) => void;
  /** Why the log takes nothing more, if so. */
  readonly refusal: () => LogError | undefined;
}

/** Takes nothing more after an outcome that is unknown. */
export class LogWriter implements Writer {
  readonly #options: WriterOptions;
  #appending = 0;
  #closed = false;
  #lost = false;
  readonly #idle: (() => void)[] = [];

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  append(entry: Entry, options: AppendOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal();
      if (refusal) throw refusal;
      const operation = append(entry, options, this.#options.limits, (error) => {
        if (error?.outcome === "unknown") this.#lost = true;
        if (error) reject(error);
        else resolve();
        this.#appending--;
        this.#tellIdle();
      });
      this.#options.add(operation);
      this.#appending++;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#appending === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #refusal(): LogError | undefined {
    if (this.#closed) return new LogError("closed", "the writer was closed");
    const refusal = this.#options.refusal();
    if (refusal) return refusal;
    return this.#lost
      ? new LogError("unavailable", "an append of this writer was lost: open another")
      : undefined;
  }

  #tellIdle(): void {
    if (this.#appending > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
