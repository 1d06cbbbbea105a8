import { RequestState, type Status, TicketState } from "@usher/protocol/queue";
import type { Seen } from "../history/lines.ts";

const STATES: Readonly<Partial<Record<TicketState, Seen["state"]>>> = {
  [TicketState.WAITING]: "waiting",
  [TicketState.ADMITTED]: "admitted",
  [TicketState.COMPLETED]: "completed",
  [TicketState.LEFT]: "left",
  [TicketState.EXPIRED]: "expired",
};
const REQUESTS: Readonly<Partial<Record<RequestState, Seen["request"]>>> = {
  [RequestState.STORED]: "stored",
  [RequestState.SENDING]: "sending",
  [RequestState.ANSWERED]: "answered",
  [RequestState.FAILED]: "failed",
  [RequestState.UNKNOWN]: "unknown",
};

/** What a Status shows, in the words of the history. Throws when it shows no ticket. */
export function seenOf({ ticket, asOf, stale }: Status): Seen {
  const state = STATES[ticket?.state ?? TicketState.UNSPECIFIED];
  if (ticket === undefined || state === undefined) throw new Error("a Status without a ticket");
  const request = REQUESTS[ticket.requestState];
  return {
    queue: ticket.queue,
    epoch: ticket.id.split(":")[1] ?? "",
    number: ticket.number,
    state,
    ...(request !== undefined && { request }),
    ...(ticket.position !== undefined && { position: ticket.position }),
    as_of: Number(asOf),
    stale,
  };
}
