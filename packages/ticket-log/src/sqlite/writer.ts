// A writer: one producer's view of the group commit.

import type { LogLimits } from "../limits.ts";
import { type AppendOptions, type Entry, LogError, type Writer } from "../log.ts";
import type { Commits } from "./commits.ts";
import { append } from "./operation.ts";

/** An outcome is unknown only when the whole log has failed, so that it need not keep a writer from going on. */
export class SqliteWriter implements Writer {
  readonly #commits: Commits;
  readonly #limits: LogLimits;
  readonly #refusal: () => LogError | undefined;
  #appending = 0;
  #closed = false;
  readonly #idle: (() => void)[] = [];

  /** `refusal`: why the log takes nothing more, if so. */
  constructor(commits: Commits, limits: LogLimits, refusal: () => LogError | undefined) {
    this.#commits = commits;
    this.#limits = limits;
    this.#refusal = refusal;
  }

  append(entry: Entry, options: AppendOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const refusal = this.#closed ? new LogError("closed", "the writer was closed") : this.#refusal();
      if (refusal) throw refusal;
      const operation = append(entry, options, this.#limits, (error) => {
        if (error) reject(error);
        else resolve();
        this.#appending--;
        this.#tellIdle();
      });
      this.#commits.add(operation);
      this.#appending++;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#appending === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #tellIdle(): void {
    if (this.#appending > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
