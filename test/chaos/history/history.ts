// The clients' history: begins and ends calls.

import type { Lines } from "./file.ts";
import type { Began, Ended, HistoryLine, Noted, Seen } from "./lines.ts";

/** A call that is under way. */
export interface Call {
  /** A message of its stream. */
  saw(seen: Seen): void;
  ended(end: Omit<Ended, "kind" | "at_ms" | "call">): void;
}

export class History {
  readonly #lines: Lines<HistoryLine>;
  #calls = 0;

  constructor(lines: Lines<HistoryLine>) {
    this.#lines = lines;
  }

  begin(began: Omit<Began, "kind" | "at_ms" | "call">): Call {
    const call = ++this.#calls;
    this.#lines.write({ kind: "began", at_ms: Date.now(), call, ...began });
    return {
      saw: (seen) => this.#lines.write({ kind: "saw", at_ms: Date.now(), call, seen }),
      ended: (end) => this.#lines.write({ kind: "ended", at_ms: Date.now(), call, ...end }),
    };
  }

  note(what: Noted["what"], text: string): void {
    this.#lines.write({ kind: "noted", at_ms: Date.now(), what, text });
  }
}
