// A ticket's place in words.

import { durationMs } from "@bufbuild/protobuf/wkt";
import { RequestState, type Status, type Ticket, TicketState } from "@usher/protocol/queue";
import { printable } from "../text.ts";

/** `ticket 412 in purchases: position 87, about 25 s, hardly more than 1 min` */
export function placeText(status: Status): string {
  const { ticket } = status;
  if (ticket === undefined) return "no ticket";
  const parts = [`ticket ${ticket.number} in ${ticket.queue}: ${stateText(ticket)}`];
  if (status.stale) parts.push("(as last known: the server cannot reach its log)");
  if (status.notice !== "") parts.push(`| ${status.notice}`);
  return printable(parts.join(" "));
}

/** What has to change for a line of its own to be worth it: all but the estimate, which always does. */
export function placeKey({ ticket, stale, notice }: Status): string {
  return JSON.stringify([ticket?.state, ticket?.requestState, ticket?.position, stale, notice]);
}

function stateText(ticket: Ticket): string {
  switch (ticket.state) {
    case TicketState.WAITING:
      return `position ${ticket.position ?? "unknown"}${estimateText(ticket)}`;
    case TicketState.ADMITTED:
      return ticket.requestState === RequestState.SENDING
        ? "its turn has come, the request is being sent"
        : "its turn has come";
    default:
      return outcome(ticket).text;
  }
}

function estimateText({ waitP50, waitP90 }: Ticket): string {
  if (waitP50 === undefined) return ", no estimate yet";
  const likely = spanText(durationMs(waitP50));
  const most = waitP90 === undefined ? likely : spanText(durationMs(waitP90));
  return likely === most ? `, about ${likely}` : `, about ${likely}, hardly more than ${most}`;
}

/** A wait, as exactly as an estimate deserves. */
export function spanText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export interface WatchOutcome {
  /** The program's exit code. */
  readonly code: number;
  readonly text: string;
}

/** Exit codes of `usher watch`, beside 0 and those of every command. */
export const OUTCOME_CODES = { failed: 3, unknown: 4, left: 5, expired: 6 } as const;

/** How a ticket ended. */
export function outcome({ state, requestState }: Ticket): WatchOutcome {
  if (requestState === RequestState.FAILED)
    return { code: OUTCOME_CODES.failed, text: "the request failed: it was not carried out" };
  if (requestState === RequestState.UNKNOWN)
    return {
      code: OUTCOME_CODES.unknown,
      text: "the request's outcome is unknown: it may have been carried out",
    };
  switch (state) {
    case TicketState.COMPLETED:
      return { code: 0, text: requestState === RequestState.ANSWERED ? "answered" : "completed" };
    case TicketState.LEFT:
      return { code: OUTCOME_CODES.left, text: "left the line" };
    default:
      return { code: OUTCOME_CODES.expired, text: "expired: its time was over before it was done" };
  }
}
