// A log written by hand, for tests that tell a story: records folded as they are written, and seen with what followed.

import { Fold, type LogEvent, type Outcome, SETTINGS_DEFAULTS, type Settings } from "@usher/queue";
import type { Folded } from "../../src/cli/log/fold.ts";

export const QUEUE = "orders";
export const SETTINGS: Settings = { ...SETTINGS_DEFAULTS, kind: "defer", max_active: 1, max_wait_ms: 60_000 };

/** The session that says what no test names another's: of the node "ann". */
const ANN = 1n;

export class ToldLog {
  readonly fold = new Fold();
  readonly #see: (folded: Folded, fold: Fold) => void;
  readonly #sequences = new Map<bigint, number>();
  #revision = 0;
  #offset = 0;

  /** With a session, a term, and the queue. */
  constructor(see: (folded: Folded, fold: Fold) => void, settings: Partial<Settings> = {}) {
    this.#see = see;
    this.write({ kind: "genesis", id: "60".repeat(16) });
    this.write({ kind: "session_opened", former: 0n, node: "ann" });
    this.write({ kind: "term_opened", term: 1 });
    this.write({ kind: "tick", term: 1, elapsed_ms: 0 });
    this.configure(settings);
  }

  /** The offset of the next record. */
  get offset(): number {
    return this.#offset;
  }

  write(event: LogEvent, session = ANN): Outcome {
    const sequence = (this.#sequences.get(session) ?? 0) + 1;
    this.#sequences.set(session, sequence);
    const record = { session, sequence, wall_ms: Date.UTC(2026, 10, 1) + this.#offset, event };
    const outcome = this.fold.apply(record);
    // Every second offset, as a log with gaps has them.
    this.#see({ offset: this.#offset, record, outcome, changes: this.fold.takeChanges() }, this.fold);
    this.#offset += 2;
    return outcome;
  }

  configure(settings: Partial<Settings>): void {
    this.#revision++;
    const event = { revision: this.#revision, settings: { ...SETTINGS, ...settings }, reason: "" };
    this.write({ kind: "queue_configured", queue: QUEUE, ...event });
  }

  /** Log time passes, a second a tick. */
  sleep(elapsed_ms: number): void {
    for (let left_ms = elapsed_ms; left_ms > 0; left_ms -= 1_000)
      this.write({ kind: "tick", term: 1, elapsed_ms: Math.min(1_000, left_ms) });
  }

  issue(ticket: { key?: number; digest?: number; subject?: number; stored_request?: boolean } = {}): Outcome {
    const { key, digest, subject, stored_request = true } = ticket;
    return this.write({
      kind: "ticket_issued",
      queue: QUEUE,
      key: key === undefined ? undefined : new Uint8Array(16).fill(key),
      digest: digest === undefined ? undefined : new Uint8Array(8).fill(digest),
      subject: subject === undefined ? undefined : new Uint8Array(16).fill(subject),
      stored_request,
    });
  }

  claim(number: number, attempt = 1, session = ANN): Outcome {
    const claim = { attempt, timeout_ms: 1_000, idempotent: false };
    return this.write({ kind: "dispatch_claimed", queue: QUEUE, number, ...claim }, session);
  }

  release(
    number: number,
    reason: Extract<LogEvent, { kind: "claim_released" }>["reason"],
    { attempt = 1, not_before_ms = 0 } = {},
  ): Outcome {
    return this.write({ kind: "claim_released", queue: QUEUE, number, attempt, not_before_ms, reason });
  }

  answer(number: number, attempt = 1, status = 200): Outcome {
    return this.write({ kind: "request_answered", queue: QUEUE, number, attempt, status });
  }
}
