// The writer sessions that count: whose records have an effect, and from which sequence on. This makes a record
// idempotent: a duplicate, or one that was delayed past its session's end, is seen here and ignored.

import type { SessionId } from "./record.ts";

/** How long a session may be silent, in ms of log time, before it is forgotten. Looked for once a minute. */
export const SESSION_SILENCE_MS = 60 * 60_000;

/** How many are kept; one more, and the one that was silent the longest goes. */
export const SESSIONS_MAX = 1024;

interface Session {
  readonly node: string;
  sequence: number;
  heard_ms: number;
  /** Its process has opened another. Kept for a while, so that a copy of its opening does not open it again. */
  closed: boolean;
}

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

  begin(id: SessionId, sequence: number, former: SessionId, node: string, now_ms: number): void {
    const predecessor = this.#byId.get(former);
    if (predecessor !== undefined) predecessor.closed = true;
    // Its opening may be on its way still; it comes too late.
    else if (former !== 0n) this.#keep(former, { node, sequence: 0, heard_ms: now_ms, closed: true });
    this.#keep(id, { node, sequence, heard_ms: now_ms, closed: false });
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

  /** For comparing replicas. */
  entries(): { id: SessionId; sequence: number; heard_ms: number; closed: boolean }[] {
    return [...this.#byId].map(([id, { sequence, heard_ms, closed }]) => ({
      id,
      sequence,
      heard_ms,
      closed,
    }));
  }

  #keep(id: SessionId, session: Session): void {
    if (this.#byId.size >= SESSIONS_MAX) this.#dropMostSilent();
    this.#byId.set(id, session);
  }

  #dropMostSilent(): void {
    let silent: SessionId | undefined;
    let since_ms = Number.POSITIVE_INFINITY;
    for (const [id, session] of this.#byId) {
      if (session.heard_ms < since_ms) {
        silent = id;
        since_ms = session.heard_ms;
      }
    }
    if (silent !== undefined) this.#byId.delete(silent);
  }
}
