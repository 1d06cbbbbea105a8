// Tells of trouble that lasts: once when it has begun, and once when it is over, however many parts of the log meet it
// and however often they try.

import type { LogError, LogErrorCode } from "../log.ts";

export interface HealthOptions {
  readonly trouble_ms: number;
  readonly onFault: (error: LogError) => void;
  readonly onMended: (message: string) => void;
}

/** What a part has met since it was well. */
interface Met {
  readonly code: LogErrorCode;
  readonly since_ms: number;
  /** That, and what it was before: "unavailable" that turned out as "misconfigured". */
  readonly codes: Set<LogErrorCode>;
}

export class Health {
  readonly #options: HealthOptions;
  /** By the part that met it. */
  readonly #met = new Map<string, Met>();
  readonly #told = new Set<LogErrorCode>();

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** A part has met trouble, or still has it. */
  trouble(part: string, error: LogError): void {
    const { code } = error;
    const known = this.#met.get(part);
    const now_ms = performance.now();
    const codes = (known?.codes ?? new Set()).add(code);
    if (known?.code !== code) this.#met.set(part, { code, since_ms: now_ms, codes });
    const since_ms = known?.code === code ? known.since_ms : now_ms;
    // Trouble that passes by itself has a little time to do so.
    if (this.#told.has(code) || (code === "unavailable" && now_ms - since_ms < this.#options.trouble_ms))
      return;
    this.#told.add(code);
    this.notice(error);
  }

  /** Something has happened, and is over. */
  notice(error: LogError): void {
    const { onFault } = this.#options;
    // By itself: whatever it throws must not end who has met the trouble.
    setImmediate(() => onFault(error));
  }

  /** A part has no trouble (any more). */
  well(part: string): void {
    const known = this.#met.get(part);
    if (known === undefined) return;
    this.#met.delete(part);
    const left = new Set([...this.#met.values()].flatMap(({ codes }) => [...codes]));
    const over = [...known.codes].filter((code) => !left.has(code) && this.#told.delete(code));
    if (over.length === 0) return;
    const { onMended } = this.#options;
    setImmediate(() => onMended(`${part} again`));
  }
}
