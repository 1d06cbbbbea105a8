// A log written by hand, for tests that tell a story: one node, one queue, records folded as they are written.

import {
  type Change,
  Fold,
  type LogEvent,
  type Outcome,
  type QueueEvent,
  SETTINGS_DEFAULTS,
  type Settings,
} from "../src/index.ts";

export const QUEUE = "orders";

/** What a queue of these tests has where nothing is said: one slot. */
export const SETTINGS: Settings = { ...SETTINGS_DEFAULTS, kind: "defer", max_active: 1, max_wait_ms: 60_000 };

type Distributed<E> = E extends QueueEvent ? Omit<E, "queue"> : never;

export class Log {
  readonly fold: Fold;
  /** The changes that the last record made. */
  changes: readonly Change[] = [];
  readonly #sequences = new Map<bigint, number>();
  #revision = 0;

  /** With a session, a term, and the queue. */
  constructor(settings: Partial<Settings> = {}, fold: Fold = new Fold()) {
    this.fold = fold;
    this.write({ kind: "genesis", id: "60".repeat(16) });
    this.open(1n);
    this.write({ kind: "term_opened", term: 1 });
    this.write({ kind: "tick", term: 1, elapsed_ms: 0 });
    this.configure(settings);
  }

  get queue() {
    return this.fold.queue(QUEUE)!;
  }

  write(event: LogEvent, session = 1n): Outcome {
    const sequence = (this.#sequences.get(session) ?? 0) + 1;
    this.#sequences.set(session, sequence);
    const outcome = this.fold.apply({ session, sequence, wall_ms: 1_790_000_000_000, event });
    this.changes = this.fold.takeChanges();
    return outcome;
  }

  /** A record about the queue. */
  say(event: Distributed<QueueEvent>, session = 1n): Outcome {
    return this.write({ ...event, queue: QUEUE } as QueueEvent, session);
  }

  open(session: bigint, former = 0n, node = "node"): Outcome {
    return this.write({ kind: "session_opened", former, node }, session);
  }

  configure(settings: Partial<Settings>): Outcome {
    this.#revision++;
    const all = { ...SETTINGS, ...settings };
    return this.say({ kind: "queue_configured", revision: this.#revision, settings: all, reason: "" });
  }

  /** Log time passes, a second a tick. */
  sleep(elapsed_ms: number): void {
    const { term } = this.fold;
    for (let left_ms = elapsed_ms; left_ms > 0; left_ms -= 1_000) {
      this.write({ kind: "tick", term, elapsed_ms: Math.min(1_000, left_ms) });
    }
  }

  /** Issues a ticket, and tells its number. */
  issue(ticket: { key?: Uint8Array; subject?: Uint8Array; stored_request?: boolean } = {}): number {
    const outcome = this.say({ kind: "ticket_issued", stored_request: true, ...ticket });
    if (outcome.kind !== "issued") throw new Error(`no ticket: ${JSON.stringify(outcome)}`);
    return outcome.number;
  }

  claim(number: number, attempt = 1, idempotent = false): Outcome {
    return this.say({ kind: "dispatch_claimed", number, attempt, timeout_ms: 1_000, idempotent });
  }

  answer(number: number, attempt = 1, status = 200): Outcome {
    return this.say({ kind: "request_answered", number, attempt, status });
  }
}
