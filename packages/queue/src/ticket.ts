// A ticket as one sees it: gathered from the columns when asked for.

import type { ActiveTickets } from "./active.ts";
import type { TicketSession } from "./ticket-sessions.ts";
import type { Stage, Tickets } from "./tickets.ts";

export type TicketState = "waiting" | "admitted" | "completed" | "left" | "expired";
export type RequestState = "stored" | "sending" | "answered" | "failed" | "unknown";

export interface TicketView {
  readonly number: number;
  readonly state: TicketState;
  /** Absent without a stored request, and once it was given up or expired. */
  readonly request?: RequestState;
  /** Live tickets ahead plus one; 0 once admitted; absent after the end. */
  readonly position?: number;
  /** By the wall clocks of who wrote the records, in ms since 1970; for display. */
  readonly issuedWall_ms: number;
  readonly admittedWall_ms?: number;
  readonly endedWall_ms?: number;
  /** The record that issued it; names its stored request. */
  readonly origin: { readonly session: bigint; readonly sequence: number };
  /** The order of admission in the queue, from 1; absent before. */
  readonly admission?: number;
  /** Claims so far; for an answered request, the one that was answered. */
  readonly attempt: number;
  /** The service's HTTP status; absent without an answer. */
  readonly status?: number;
  /** Absent with a stored request, before the admission, and after the end. */
  readonly session?: TicketSession;
}

const STATES: Record<Exclude<Stage, "absent">, TicketState> = {
  waiting: "waiting",
  admitted: "admitted",
  completed: "completed",
  left: "left",
  expired: "expired",
  failed: "completed",
  unknown: "completed",
};

/** Absent: never issued, or forgotten. */
export function viewOf(number: number, tickets: Tickets, active: ActiveTickets): TicketView | undefined {
  const stage = tickets.stage(number);
  if (stage === "absent") return undefined;
  const later = tickets.afterwards(number);
  return {
    number,
    state: STATES[stage],
    request: tickets.hasRequest(number)
      ? requestState(stage, active.get(number)?.claim !== undefined)
      : undefined,
    position: stage === "waiting" ? tickets.position(number) : stage === "admitted" ? 0 : undefined,
    issuedWall_ms: tickets.issuedWall_ms(number),
    admittedWall_ms: later.admittedWall_ms || undefined,
    endedWall_ms: later.endedWall_ms || undefined,
    origin: tickets.origin(number),
    admission: later.admission || undefined,
    attempt: later.attempt,
    status: later.status || undefined,
    session: active.get(number)?.session,
  };
}

function requestState(stage: Stage, claimed: boolean): RequestState | undefined {
  switch (stage) {
    case "waiting":
      return "stored";
    case "admitted":
      return claimed ? "sending" : "stored";
    case "completed":
      return "answered";
    case "failed":
    case "unknown":
      return stage;
    default:
      return undefined;
  }
}
