// All callers of one way, in processes of their own, and what they have told so far.

import { Program } from "../../support/program.ts";
import type { Report } from "./callers.ts";
import { type Attempts, BIN_MS } from "./counts.ts";
import type { Way, Where } from "./ways.ts";

/** Processes that share the callers. */
const PROCESSES = 2;

export class Crowd implements AsyncDisposable {
  readonly #programs: readonly Program[];

  constructor(way: Way, count: number, where: Where) {
    const share = Math.ceil(count / PROCESSES);
    this.#programs = Array.from({ length: PROCESSES }, (_, n) => {
      const args = [way, `${n * share}`, `${Math.min(share, count - n * share)}`, JSON.stringify(where)];
      return new Program("test/bench/reconnect/callers.ts", args);
    });
  }

  /** Since so many milliseconds of the wall clock, in no order. */
  attemptsSince(since_ms: number): readonly Attempts[] {
    return this.#reports().flatMap((reports) =>
      reports
        .flatMap(({ bins }) => bins)
        .map(([bin, tried, refused]) => ({ at_ms: bin * BIN_MS, tried, refused }))
        .filter(({ at_ms }) => at_ms + BIN_MS > since_ms),
    );
  }

  /** Whether every caller who waits knows of so many admissions. */
  allKnow(admitted: number): boolean {
    return this.#last().every(({ known }) => known.every((one) => one === admitted));
  }

  /** How often a caller was told what must not be: a position that rose, or another ticket. */
  get faults(): number {
    return this.#last().reduce((sum, { faults }) => sum + faults, 0);
  }

  /** What they have written to standard error, for whoever looks for the reason of a failure. */
  get complaints(): string {
    return this.#programs.map(({ stderr }) => stderr).join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.stop("SIGKILL")));
  }

  #last(): readonly Report[] {
    return this.#reports().map((reports) => {
      const last = reports.at(-1);
      if (last === undefined) throw new Error("callers have told nothing yet");
      return last;
    });
  }

  /** Of each process. */
  #reports(): readonly (readonly Report[])[] {
    return this.#programs.map(({ stdout }) =>
      stdout
        .slice(0, stdout.lastIndexOf("\n") + 1)
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Report),
    );
  }
}
