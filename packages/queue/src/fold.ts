// The whole log, folded: who may write, what time it is, and the queues. Same records, same fold, on every node:
// nothing here looks at a clock, a random number or the outside.

import type { Part } from "./description.ts";
import { APPLIED, type Change, ignored, type Outcome, refused } from "./outcome.ts";
import { Queue } from "./queue.ts";
import type { LogEvent, LogRecord, SessionId, SessionOpened } from "./record.ts";
import { Sessions } from "./sessions.ts";
import { settingsProblems } from "./settings.ts";

/** The most that one tick may count, in ms: a timekeeper that was stopped and woken does not leap. */
export const TICK_MAX_MS = 1_000;

/** How many queues one log holds at most. */
export const QUEUES_MAX = 1_000;

const MINUTE_MS = 60_000;
const NO_CHANGES: readonly Change[] = [];

/** The log does not begin as an Usher log does, so nothing after it can be believed. */
export class NoGenesisError extends Error {
  override readonly name = "NoGenesisError";
  constructor(found: string) {
    super(
      `the log's first record is "${found}" where its genesis should be: this is not the beginning of an Usher log`,
    );
  }
}

export class Fold {
  #genesis: string | undefined;
  #now_ms = 0;
  readonly #sessions = new Sessions();
  #term = 0;
  #timekeeper: SessionId | undefined;
  /** The next tick is the first of its term: it only begins the measuring. */
  #termBegins = false;
  readonly #queues = new Map<string, Queue>();
  #changes: Change[] = [];
  readonly #emit = (change: Change): void => {
    this.#changes.push(change);
  };

  /** The log's random id; with a queue's incarnation, its epoch. Absent before the first record. */
  get genesis(): string | undefined {
    return this.#genesis;
  }

  /** Log time T, in ms: the sum of all ticks. */
  get now_ms(): number {
    return this.#now_ms;
  }

  get term(): number {
    return this.#term;
  }

  /** The session that keeps time; absent where nobody does. */
  get timekeeper(): SessionId | undefined {
    return this.#timekeeper;
  }

  get sessions(): Sessions {
    return this.#sessions;
  }

  queue(name: string): Queue | undefined {
    return this.#queues.get(name);
  }

  queues(): Iterable<Queue> {
    return this.#queues.values();
  }

  /** All that is the log's own, piece by piece; its queues describe themselves. */
  *describe(): Iterable<Part> {
    const { genesis, now_ms, term, timekeeper } = this;
    const termBegins = this.#termBegins;
    yield { kind: "log", id: "", fields: { genesis, now_ms, term, timekeeper, termBegins } };
    for (const { id, node, sequence, heard_ms, closed } of this.#sessions.entries()) {
      yield { kind: "session", id, fields: { node, sequence, heard_ms, closed } };
    }
    for (const [id, { name }] of this.#queues) yield { kind: "queue", id, fields: { name } };
  }

  /** What changed since it was last asked, in order. Ask after every record, or after a batch. */
  takeChanges(): readonly Change[] {
    if (this.#changes.length === 0) return NO_CHANGES;
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  /** Folds the next record. Throws `NoGenesisError` where the first is no genesis; nothing else. */
  apply(record: LogRecord): Outcome {
    const { event } = record;
    if (this.#genesis === undefined) return this.#begin(event);
    if (event.kind === "genesis") return ignored("second_genesis");
    if (event.kind === "session_opened") return this.#openSession(record, event);
    if (!this.#sessions.open(record.session)) return ignored("unknown_session");
    if (!this.#sessions.accept(record.session, record.sequence, this.#now_ms)) return ignored("not_rising");
    return this.#dispatch(record);
  }

  #begin(event: LogEvent): Outcome {
    if (event.kind !== "genesis") throw new NoGenesisError(event.kind);
    this.#genesis = event.id;
    return APPLIED;
  }

  #openSession(record: LogRecord, opened: SessionOpened): Outcome {
    if (record.session === 0n || record.session === opened.former) return ignored("impossible");
    if (this.#sessions.knows(record.session)) return ignored("session_known");
    // The timekeeper's process goes on under another name: nobody has to wait for its silence.
    if (this.#timekeeper === opened.former) this.#timekeeper = undefined;
    this.#sessions.begin(record, opened, { now_ms: this.#now_ms, timekeeper: this.#timekeeper });
    return APPLIED;
  }

  #dispatch(record: LogRecord): Outcome {
    const { event } = record;
    switch (event.kind) {
      case "term_opened":
        return this.#openTerm(record.session, event.term);
      case "term_closed":
        return this.#closeTerm(record.session, event.term);
      case "tick":
        return this.#tick(record, event.term, event.elapsed_ms);
      case "genesis":
      case "session_opened":
        return ignored("impossible");
      default: {
        const queue = this.#queues.get(event.queue);
        if (queue !== undefined) return queue.apply(event, record);
        return event.kind === "queue_configured" ? this.#createQueue(event) : refused("no_queue");
      }
    }
  }

  #createQueue(event: Extract<LogEvent, { kind: "queue_configured" }>): Outcome {
    if (event.revision !== 1) return ignored("old_revision");
    if (settingsProblems(event.settings).length > 0 || this.#queues.size >= QUEUES_MAX)
      return ignored("impossible");
    this.#queues.set(event.queue, new Queue(event, this.#now_ms, this.#emit));
    return APPLIED;
  }

  #openTerm(session: SessionId, term: number): Outcome {
    if (term !== this.#term + 1) return ignored("old_term");
    this.#term = term;
    this.#timekeeper = session;
    this.#termBegins = true;
    for (const queue of this.#queues.values()) queue.emptyBudget();
    return APPLIED;
  }

  #closeTerm(session: SessionId, term: number): Outcome {
    if (term !== this.#term || session !== this.#timekeeper) return ignored("old_term");
    this.#timekeeper = undefined;
    return APPLIED;
  }

  #tick(record: LogRecord, term: number, elapsed_ms: number): Outcome {
    if (term !== this.#term || record.session !== this.#timekeeper) return ignored("old_term");
    const counted_ms = this.#termBegins ? 0 : Math.min(TICK_MAX_MS, elapsed_ms);
    this.#termBegins = false;
    const before_ms = this.#now_ms;
    this.#now_ms += counted_ms;
    for (const queue of this.#queues.values()) queue.tick(this.#now_ms, record.wall_ms);
    const minute = Math.floor(this.#now_ms / MINUTE_MS);
    if (minute !== Math.floor(before_ms / MINUTE_MS)) this.#sessions.forgetSilent(this.#now_ms);
    return APPLIED;
  }
}
