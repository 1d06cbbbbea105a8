// Appends for one part of this process, through whichever writer session is the current one: opens the first, and a
// successor when one can write no more. The successor's opening in the log settles what the former left open.

import type { LogEvent, LogRecord, Outcome, SessionId } from "@usher/queue";
import { LogError, type TicketLog } from "@usher/ticket-log";
import type { Clock } from "../clock.ts";
import { type RecordName, type RecordOptions, Session } from "./session.ts";

export interface Appended {
  readonly outcome: Outcome;
  /** The record that did it, for naming payloads. */
  readonly name: RecordName;
}

export class Appender {
  readonly #log: TicketLog;
  readonly #clock: Clock;
  readonly #node: string;
  /** In use, or being opened. */
  #session: Session | undefined;
  /** Sessions with callers whom their successor's opening will tell. */
  readonly #former = new Map<SessionId, Session>();
  /** The last session that was opened, which the next opening names. */
  #formerId: SessionId;
  #opening: Promise<Session> | undefined;
  /** Why nothing more is appended. */
  #refusal: LogError | undefined;

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
  async append(event: LogEvent, options?: RecordOptions): Promise<Appended> {
    const first = await (await this.#current()).append(event, options);
    if (!ofLostSession(first.outcome)) return first;
    if (this.#session?.id === first.name.session) this.#retire();
    const second = await (await this.#current()).append(event, options);
    if (!ofLostSession(second.outcome)) return second;
    throw new LogError("unavailable", "the log twice took no record of this node's session");
  }

  /** Writes the log's very first record, and opens the first session. */
  async begin(genesis: string): Promise<void> {
    await this.#reopen(genesis);
  }

  /** Every folded record passes here, so that its caller is answered. */
  folded(record: LogRecord, outcome: Outcome): void {
    if (this.#session?.id === record.session) this.#session.folded(record.sequence, outcome);
    else this.#former.get(record.session)?.folded(record.sequence, outcome);
    if (record.event.kind === "session_opened" && outcome.kind === "applied")
      this.#former.get(record.event.former)?.superseded();
  }

  /** Tells callers who have waited too long, and tries again to open a session that tells others. Called now and
   * then. */
  expire(): void {
    this.#session?.expire();
    for (const [id, session] of this.#former) {
      session.expire();
      if (session.settled) this.#former.delete(id);
    }
    if (this.#former.size > 0) this.#replace();
  }

  /** The log cannot be read any further: whatever is written from here on, its outcome would not be known. */
  halt(why: Error): void {
    this.#refusal ??= new LogError("unavailable", `this node reads no further (${why.message})`);
    this.#session?.abandon();
    for (const session of this.#former.values()) session.abandon();
  }

  /** Takes nothing more, and ends when every caller has been told. */
  async close(): Promise<void> {
    this.#refusal ??= new LogError("closed", "this node is closed");
    await this.#opening?.catch(() => {});
    for (const session of this.#former.values()) session.abandon();
    await this.#session?.close();
  }

  async #current(): Promise<Session> {
    if (this.#refusal !== undefined) throw this.#refusal;
    const session = this.#session;
    return session === undefined || session.broken || this.#opening !== undefined ? this.#reopen() : session;
  }

  #reopen(genesis?: string): Promise<Session> {
    this.#opening ??= this.#open(genesis).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Opens a successor, for nobody's record. */
  #replace(): void {
    this.#current().catch(() => {});
  }

  async #open(genesis?: string): Promise<Session> {
    this.#retire();
    // Not even the opening's outcome is awaited in a session that has broken: the next one goes past it.
    const broken = Promise.withResolvers<never>();
    const session = new Session(this.#log, this.#clock, () =>
      broken.reject(new LogError("unavailable", "its opening was lost")),
    );
    broken.promise.catch(() => this.#replace());
    this.#session = session;
    const write = (event: LogEvent) => Promise.race([session.append(event), broken.promise]);
    try {
      if (genesis !== undefined) await write({ kind: "genesis", id: genesis });
      await write({ kind: "session_opened", former: this.#formerId, node: this.#node });
    } catch (cause) {
      session.retire();
      this.#session = undefined;
      const { code, message } = LogError.from(cause);
      throw new LogError(code, `no writer session could be opened (${message})`, { cause });
    }
    this.#formerId = session.id;
    return session;
  }

  #retire(): void {
    const session = this.#session;
    if (session === undefined) return;
    session.retire();
    this.#session = undefined;
    if (!session.settled) this.#former.set(session.id, session);
  }
}

/** The record is in the log and had no effect, because its session does not count (any more). */
function ofLostSession(outcome: Outcome): boolean {
  return (
    outcome.kind === "ignored" && (outcome.reason === "unknown_session" || outcome.reason === "not_rising")
  );
}
