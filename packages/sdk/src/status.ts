// Where a ticket stands, as its holder sees it.

/** - `waiting`: in the line; has a position of 1 or more.
 * - `admitted`: through; has a slot until it completes, leaves, or its session ends.
 * - `completed`, `left`, `expired`: ended.
 * - `other`: a state that this build does not know yet; not an end. */
export type TicketState = "waiting" | "admitted" | "completed" | "left" | "expired" | "other";

/** Where the stored request of a ticket is, on its way to the service and back.
 * - `stored`: waits for its turn, or for another attempt.
 * - `sending`: a gateway sends it.
 * - `answered`: the service answered, whatever the status.
 * - `failed`: surely not carried out.
 * - `unknown`: it may have been carried out, or not.
 * - `other`: a state that this build does not know yet. */
export type RequestState = "stored" | "sending" | "answered" | "failed" | "unknown" | "other";

/** What a ticket's holder sees. All durations are in milliseconds. */
export interface Status {
  /** Names the ticket for ever: `<queue>:<epoch>:<number>`. Holds no secret. */
  readonly id: string;
  /** The queue's name. */
  readonly queue: string;
  /** The n-th ticket of the queue has number n. */
  readonly number: number;
  /** Where it is in its life. */
  readonly state: TicketState;
  /** Where its stored request is; absent where it has none. */
  readonly requestState?: RequestState;
  /** Those ahead, plus one; 0 once admitted; absent after the end. Never rises for the same ticket. */
  readonly position?: number;
  /** Half of those who stand here wait no longer than this from now on; absent where the pace is not known. */
  readonly waitP50?: number;
  /** Nine of ten who stand here wait no longer than this from now on; absent where the pace is not known. */
  readonly waitP90?: number;
  /** By the server's clock, like the next two: for display. */
  readonly issuedAt?: Date;
  /** Absent while it waits. */
  readonly admittedAt?: Date;
  /** Absent before its end. */
  readonly endedAt?: Date;
  /** The signed pass of a pass queue, while admitted. Secret. */
  readonly pass?: string;
  /** The node cannot reach the log at present: this is the last that it knew. */
  readonly stale: boolean;
  /** The operator's words to those who wait. */
  readonly notice?: string;
  /** How long to let pass before asking again, when polling; absent after the end. */
  readonly retryAfter?: number;
  /** How far into the log this is true; opaque. */
  readonly asOf: string;
}

const ENDS: ReadonlySet<TicketState> = new Set(["completed", "left", "expired"]);

/** Whether nothing more will become of the ticket. */
export function hasEnded({ state }: Status): boolean {
  return ENDS.has(state);
}

/** What a later status is to the holder of an earlier one of the same ticket. Nodes differ in how far they have read, so
 * that one could tell of a place further back than another has told already, or of a wait that is over. */
export function later(before: Status | undefined, now: Status): Status {
  if (before === undefined || before.id !== now.id) return now;
  if (hasEnded(before) && !hasEnded(now)) return before;
  if (before.position === undefined || now.position === undefined) return now;
  if (now.position <= before.position) return now;
  return before.state === "waiting" ? { ...now, position: before.position } : before;
}
