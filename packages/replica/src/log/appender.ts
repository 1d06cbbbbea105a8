// Appends for one part of this process, through whichever writer session is the current one: opens the first, and a
// successor when one can write no more. The successor's opening in the log settles what the former left open.

import type { LogEvent, LogRecord, Outcome, SessionId } from "@usher/queue";
import { LogError, type TicketLog } from "@usher/ticket-log";
import type { Clock } from "../clock.ts";
import { type RecordName, Session } from "./session.ts";

export interface Appended {
  readonly outcome: Outcome;
  /** The record that did it, for naming payloads. */
  readonly name: RecordName;
}

export type AppendOptions = Parameters<Session["append"]>[1];

export class Appender {
  readonly #log: TicketLog;
  readonly #clock: Clock;
  readonly #node: string;
  #session: Session | undefined;
  /** Sessions whose pending appends their successor's opening will settle. */
  readonly #former = new Map<SessionId, Session>();
  #formerId: SessionId;
  #opening: Promise<Session> | undefined;
  #closed = false;

  /** `former`: the session that an earlier process of this node wrote in last, 0 where there was none. */
  constructor(options: { log: TicketLog; clock: Clock; node: string; former: SessionId }) {
    this.#log = options.log;
    this.#clock = options.clock;
    this.#node = options.node;
    this.#formerId = options.former;
  }

  /** The session in use; absent before the first append. */
  get session(): SessionId | undefined {
    return this.#session?.id;
  }

  /** Appends a record of this node and tells what it did. Rejects with a `LogError`, whose outcome says whether the
   * record may be in the log. A record that its session's end made ineffective is appended once more. */
  async append(event: LogEvent, options?: AppendOptions): Promise<Appended> {
    const first = await (await this.#current()).append(event, options);
    if (!ofLostSession(first.outcome)) return first;
    this.#retire(first.name.session);
    const second = await (await this.#current()).append(event, options);
    if (!ofLostSession(second.outcome)) return second;
    throw new LogError("unavailable", "the log twice took no record of this node's session");
  }

  /** The log's very first record, before any session. */
  async begin(id: string): Promise<void> {
    const session = new Session(this.#log, this.#clock);
    this.#session = session;
    await session.append({ kind: "genesis", id });
    await session.append({ kind: "session_opened", former: this.#formerId, node: this.#node });
  }

  /** Every folded record passes here, so that its caller is answered. */
  folded(record: LogRecord, outcome: Outcome): void {
    if (this.#session?.id === record.session) this.#session.folded(record.sequence, outcome);
    else this.#former.get(record.session)?.folded(record.sequence, outcome);
    if (record.event.kind === "session_opened") this.#former.get(record.event.former)?.superseded();
  }

  /** Tells callers who have waited too long. Called now and then. */
  expire(): void {
    this.#session?.expire();
    for (const [id, session] of this.#former) {
      session.expire();
      if (session.settled) this.#former.delete(id);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening?.catch(() => {});
    await this.#session?.close();
    for (const session of this.#former.values()) session.abandon();
  }

  async #current(): Promise<Session> {
    if (this.#closed) throw new LogError("closed", "this node is closed");
    if (this.#session !== undefined && !this.#session.broken && this.#opening === undefined)
      return this.#session;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<Session> {
    if (this.#session !== undefined) this.#retire(this.#session.id);
    const session = new Session(this.#log, this.#clock);
    this.#session = session;
    try {
      await session.append({ kind: "session_opened", former: this.#formerId, node: this.#node });
    } catch (error) {
      this.#retire(session.id);
      throw error;
    }
    return session;
  }

  #retire(id: SessionId): void {
    const session = this.#session;
    if (session?.id !== id) return;
    this.#session = undefined;
    this.#former.set(id, session);
    this.#formerId = id;
  }
}

/** The record is in the log and had no effect, because its session does not count (any more). */
function ofLostSession(outcome: Outcome): boolean {
  return (
    outcome.kind === "ignored" && (outcome.reason === "unknown_session" || outcome.reason === "not_rising")
  );
}
