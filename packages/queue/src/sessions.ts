// The writer sessions that count: whose records have an effect, and from which sequence on. This makes a record
// idempotent: a duplicate, or one that was delayed past its session's end, is seen here and ignored.

import type { LogRecord, SessionId, SessionOpened } from "./record.ts";

/** How long a session may be silent, in ms of log time, before it is forgotten. Looked for once a minute. */
export const SESSION_SILENCE_MS = 60 * 60_000;

/** How many are kept. For one more, a closed one goes, else the open one that was silent the longest; never the
 * timekeeper's, whose ticks nobody could replace before it had been silent for a while. */
export const SESSIONS_MAX = 1024;

/** What follows a node's name in the sessions that it writes nothing but ticks in. */
export const TIME_LABEL = "/time";

/** A node of whom a session is open. */
export interface NodeHeard {
  readonly node: string;
  /** The session that it opened last, for other records than ticks; absent where only that for ticks is open. */
  readonly session: SessionId | undefined;
  /** When a record of an open session of it last came, ticks included; in ms of log time. */
  readonly heard_ms: number;
}

interface Session {
  readonly node: string;
  /** The last that counted. */
  sequence: number;
  /** When a record of it last counted, in ms of log time. */
  heard_ms: number;
  /** Its process has opened another. Kept for a while, so that a copy of its opening does not open it again. */
  closed: boolean;
}

export type SessionKept = Readonly<Session> & { readonly id: SessionId };

export class Sessions {
  readonly #byId = new Map<SessionId, Session>();

  get size(): number {
    return this.#byId.size;
  }

  /** The node that a session belongs to, for display. */
  node(id: SessionId): string | undefined {
    return this.#byId.get(id)?.node;
  }

  /** Whether the session is known, and not closed. */
  open(id: SessionId): boolean {
    return this.#byId.get(id)?.closed === false;
  }

  knows(id: SessionId): boolean {
    return this.#byId.has(id);
  }

  /** The nodes of whom a session is open, in the order in which they opened what is open. */
  nodes(): NodeHeard[] {
    const nodes = new Map<string, NodeHeard>();
    for (const [id, { node: label, heard_ms, closed }] of this.#byId) {
      if (closed) continue;
      const ticks = label.endsWith(TIME_LABEL);
      const node = ticks ? label.slice(0, -TIME_LABEL.length) : label;
      const known = nodes.get(node);
      nodes.set(node, {
        node,
        session: ticks ? known?.session : id,
        heard_ms: Math.max(heard_ms, known?.heard_ms ?? 0),
      });
    }
    return [...nodes.values()];
  }

  /** A process opens a session, and closes the one that it wrote in before. The timekeeper's stays, however many come. */
  begin(
    { session: id, sequence }: Pick<LogRecord, "session" | "sequence">,
    { former, node }: Pick<SessionOpened, "former" | "node">,
    { now_ms, timekeeper }: { now_ms: number; timekeeper: SessionId | undefined },
  ): void {
    const predecessor = this.#byId.get(former);
    if (predecessor !== undefined) predecessor.closed = true;
    const isNew = predecessor === undefined && former !== 0n;
    this.#makeRoom(isNew ? 2 : 1, timekeeper);
    // Its opening may be on its way still; it comes too late.
    if (isNew) this.#byId.set(former, { node, sequence: 0, heard_ms: now_ms, closed: true });
    this.#byId.set(id, { node, sequence, heard_ms: now_ms, closed: false });
  }

  /** Whether a record of an open session is the next to count; if so, it counts from here on. */
  accept(id: SessionId, sequence: number, now_ms: number): boolean {
    const session = this.#byId.get(id)!;
    if (sequence <= session.sequence) return false;
    session.sequence = sequence;
    session.heard_ms = now_ms;
    return true;
  }

  forgetSilent(now_ms: number): void {
    for (const [id, session] of this.#byId) {
      if (now_ms - session.heard_ms >= SESSION_SILENCE_MS) this.#byId.delete(id);
    }
  }

  /** All that are kept, in the order in which they came to be known. */
  entries(): SessionKept[] {
    return [...this.#byId].map(([id, session]) => ({ id, ...session }));
  }

  #makeRoom(wanted: number, timekeeper: SessionId | undefined): void {
    while (this.#byId.size + wanted > SESSIONS_MAX) {
      const gone = this.#mostSilent(true, timekeeper) ?? this.#mostSilent(false, timekeeper);
      if (gone === undefined) return;
      this.#byId.delete(gone);
    }
  }

  /** Of those that are closed, or of those that are not; of two, the one that was there first. */
  #mostSilent(closed: boolean, timekeeper: SessionId | undefined): SessionId | undefined {
    let silent: SessionId | undefined;
    let since_ms = Number.POSITIVE_INFINITY;
    for (const [id, session] of this.#byId) {
      if (session.closed !== closed || session.heard_ms >= since_ms || id === timekeeper) continue;
      silent = id;
      since_ms = session.heard_ms;
    }
    return silent;
  }
}
