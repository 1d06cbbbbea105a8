// What a record of the log tells of one ticket: what it says itself, and what followed from it.

import type { Change, LogEvent, Outcome, QueueEvent, TicketView } from "@usher/queue";

export type What =
  /** Under the same key, before there was a ticket, or with another request. */
  | "refused"
  | "issued"
  /** Asked for again, under the same key or for the same subject. */
  | "found"
  | "admitted"
  | "claimed"
  | "released"
  /** A claim's time was over. */
  | "lapsed"
  | "answered"
  /** An answer told what had become of an unknown request. */
  | "settled"
  | "left"
  | "completed"
  | "expired"
  | "failed"
  | "unknown"
  | "retried"
  | "extended"
  /** The record meant the ticket, and did nothing. */
  | "no effect"
  | "forgotten";

export interface Fact {
  readonly what: What;
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** The records that name a ticket by its number. */
export type NamingEvent = Extract<QueueEvent, { readonly number: number }>;

/** How the ticket was before the record. */
export interface Before {
  /** Absent: not waiting. */
  readonly position: number | undefined;
  readonly claimed: boolean;
}

/** What a record says of the ticket that it names. */
export function saidBy(event: NamingEvent, outcome: Outcome): Fact {
  if (outcome.kind === "refused" || outcome.kind === "ignored") {
    const details = { record: event.kind, why: outcome.reason };
    return {
      what: "no effect",
      details: "attempt" in event ? { ...details, attempt: event.attempt } : details,
    };
  }
  const { kind, queue: _, number: __, ...said } = event;
  const details = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  return { what: SAID[kind], details };
}

const SAID: Readonly<Record<NamingEvent["kind"], What>> = {
  ticket_left: "left",
  ticket_completed: "completed",
  dispatch_claimed: "claimed",
  claim_released: "released",
  request_answered: "answered",
  request_retried: "retried",
  session_extended: "extended",
};

/** What followed for the ticket from a record; nothing where the record itself says it. `own`: the record names the
 * ticket. `after`: the ticket as it is then. */
export function followed(
  change: Change["kind"],
  event: LogEvent,
  { own, before, after }: { own: boolean; before: Before; after: TicketView | undefined },
): Fact[] {
  switch (change) {
    case "claimed":
    case "extended":
      return [];
    case "admitted":
      if (event.kind === "request_retried") return [];
      return [{ what: "admitted", details: { ...cause(event), position: before.position ?? 1 } }];
    case "released":
      return own ? [] : [{ what: "lapsed", details: {} }];
    case "settled":
    case "forgotten":
      return [{ what: change, details: {} }];
    case "ended":
      return own ? endedBy(event, after) : ended(event, before, after);
  }
}

/** A record about the ticket itself ended it. */
function endedBy(event: LogEvent, after: TicketView | undefined): Fact[] {
  const end = endOf(after);
  return event.kind !== "claim_released" || end === undefined ? [] : [{ what: end, details: {} }];
}

function ended(event: LogEvent, before: Before, after: TicketView | undefined): Fact[] {
  const end = endOf(after);
  const lapsed: Fact[] = before.claimed ? [{ what: "lapsed", details: {} }] : [];
  return end === undefined ? lapsed : [...lapsed, { what: end, details: cause(event) }];
}

function endOf(view: TicketView | undefined): What | undefined {
  if (view?.request === "failed" || view?.request === "unknown") return view.request;
  return view?.state === "waiting" || view?.state === "admitted" ? undefined : view?.state;
}

/** What made it happen: the kind of the record, and whose it was where it was another ticket's. */
function cause(event: LogEvent): Fact["details"] {
  if (event.kind === "tick") return { by: event.kind, term: event.term };
  return "number" in event ? { by: event.kind, of: event.number } : { by: event.kind };
}
