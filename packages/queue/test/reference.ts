// The whole log by the same rules, naively: who may write, what time it is, and the queues (`reference-queue.ts`).
// What a newcomer may read as the design in code, where speed and memory do not matter.

import type { Change, LogRecord, Outcome } from "../src/index.ts";
import { settingsProblems } from "../src/index.ts";
import { ReferenceQueue } from "./reference-queue.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

export interface ReferenceSession {
  readonly id: bigint;
  readonly node: string;
  sequence: number;
  heard_ms: number;
  closed: boolean;
}

export class Reference {
  genesis: string | undefined;
  now_ms = 0;
  term = 0;
  timekeeper: bigint | undefined;
  termBegins = false;
  sessions: ReferenceSession[] = [];
  queues: ReferenceQueue[] = [];
  #changes: Change[] = [];

  takeChanges(): Change[] {
    return this.#changes.splice(0);
  }

  apply(record: LogRecord): Outcome {
    const { event, session, sequence } = record;
    if (this.genesis === undefined) {
      if (event.kind !== "genesis") throw new Error("no genesis");
      this.genesis = event.id;
      return { kind: "applied" };
    }
    if (event.kind === "genesis") return { kind: "ignored", reason: "second_genesis" };
    if (event.kind === "session_opened")
      return this.#openSession(session, sequence, event.former, event.node);
    const writer = this.sessions.find(({ id, closed }) => id === session && !closed);
    if (writer === undefined) return { kind: "ignored", reason: "unknown_session" };
    if (sequence <= writer.sequence) return { kind: "ignored", reason: "not_rising" };
    writer.sequence = sequence;
    writer.heard_ms = this.now_ms;
    return this.#decide(record);
  }

  #openSession(id: bigint, sequence: number, former: bigint, node: string): Outcome {
    if (id === 0n || id === former) return { kind: "ignored", reason: "impossible" };
    if (this.sessions.some((session) => session.id === id)) {
      return { kind: "ignored", reason: "session_known" };
    }
    if (this.timekeeper === former) this.timekeeper = undefined;
    const predecessor = this.sessions.find((session) => session.id === former);
    if (predecessor !== undefined) predecessor.closed = true;
    const added: ReferenceSession[] = [{ id, node, sequence, heard_ms: this.now_ms, closed: false }];
    if (predecessor === undefined && former !== 0n)
      added.unshift({ id: former, node, sequence: 0, heard_ms: this.now_ms, closed: true });
    while (this.sessions.length + added.length > 1024) this.#dropOne();
    this.sessions.push(...added);
    return { kind: "applied" };
  }

  /** A closed one, else one that does not keep time; the one that was silent the longest. */
  #dropOne(): void {
    const closed = this.sessions.filter((session) => session.closed);
    const open = this.sessions.filter((session) => !session.closed && session.id !== this.timekeeper);
    const candidates = closed.length > 0 ? closed : open;
    const silent_ms = Math.min(...candidates.map(({ heard_ms }) => heard_ms));
    const gone = candidates.find(({ heard_ms }) => heard_ms === silent_ms);
    this.sessions = this.sessions.filter((other) => other !== gone);
  }

  #decide(record: LogRecord): Outcome {
    const { event, session } = record;
    if (event.kind === "genesis" || event.kind === "session_opened") throw new Error("decided before");
    if (event.kind === "term_opened") {
      if (event.term !== this.term + 1) return { kind: "ignored", reason: "old_term" };
      this.term = event.term;
      this.timekeeper = session;
      this.termBegins = true;
      for (const queue of this.queues) queue.budget = 0;
      return { kind: "applied" };
    }
    if (event.kind === "term_closed" || event.kind === "tick") {
      const current = event.term === this.term && session === this.timekeeper;
      if (!current) return { kind: "ignored", reason: "old_term" };
      if (event.kind === "tick") this.#tick(event.elapsed_ms, record);
      else this.timekeeper = undefined;
      return { kind: "applied" };
    }
    const queue = this.queues.find(({ name }) => name === event.queue);
    if (queue !== undefined) return queue.apply(event, record);
    if (event.kind !== "queue_configured") return { kind: "refused", reason: "no_queue" };
    if (event.revision !== 1) return { kind: "ignored", reason: "old_revision" };
    if (settingsProblems(event.settings).length > 0 || this.queues.length >= 1_000) {
      return { kind: "ignored", reason: "impossible" };
    }
    this.queues.push(new ReferenceQueue(event, this.now_ms, this.#changes));
    return { kind: "applied" };
  }

  #tick(elapsed_ms: number, record: LogRecord): void {
    const before_ms = this.now_ms;
    this.now_ms += this.termBegins ? 0 : Math.min(1_000, elapsed_ms);
    this.termBegins = false;
    for (const queue of this.queues) queue.tick(this.now_ms, record);
    // Looked for once a minute of T.
    if (Math.floor(this.now_ms / MINUTE_MS) === Math.floor(before_ms / MINUTE_MS)) return;
    this.sessions = this.sessions.filter(({ heard_ms }) => this.now_ms - heard_ms < HOUR_MS);
  }
}
