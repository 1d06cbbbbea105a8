// The contract's messages in binary, as the client has them. Enums come as numbers; those that this build does not know
// are `other`.

import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type AdmitResponse,
  type GetQueueResponse,
  type IssueResponse,
  QueueKind,
  QueueMode,
  RequestState as RequestStateNumber,
  type Status as StatusMessage,
  type Ticket,
  TicketState as TicketStateNumber,
  type WatchAdmissionsResponse,
  type WatchPositionResponse,
} from "@usher/protocol/queue";
import { UsherError } from "../../errors.ts";
import type { RequestState, Status, TicketState } from "../../status.ts";
import type { AdmissionMessage, Admitted, Issued, QueueStatus, TicketFacts, Watched } from "../rpc.ts";

const TICKET_STATES: Readonly<Record<TicketStateNumber, TicketState>> = {
  [TicketStateNumber.UNSPECIFIED]: "other",
  [TicketStateNumber.WAITING]: "waiting",
  [TicketStateNumber.ADMITTED]: "admitted",
  [TicketStateNumber.COMPLETED]: "completed",
  [TicketStateNumber.LEFT]: "left",
  [TicketStateNumber.EXPIRED]: "expired",
};

const REQUEST_STATES: Readonly<Record<RequestStateNumber, RequestState | undefined>> = {
  [RequestStateNumber.UNSPECIFIED]: undefined,
  [RequestStateNumber.STORED]: "stored",
  [RequestStateNumber.SENDING]: "sending",
  [RequestStateNumber.ANSWERED]: "answered",
  [RequestStateNumber.FAILED]: "failed",
  [RequestStateNumber.UNKNOWN]: "unknown",
};

const KINDS: Readonly<Record<QueueKind, QueueStatus["kind"]>> = {
  [QueueKind.UNSPECIFIED]: "other",
  [QueueKind.DEFER]: "defer",
  [QueueKind.PASS]: "pass",
};

const MODES: Readonly<Record<QueueMode, QueueStatus["mode"]>> = {
  [QueueMode.UNSPECIFIED]: "other",
  [QueueMode.AUTO]: "auto",
  [QueueMode.QUEUE_ALL]: "queue_all",
  [QueueMode.PAUSED]: "paused",
  [QueueMode.OPEN]: "open",
  [QueueMode.CLOSED]: "closed",
};

export function issuedOf({ status, token, existing }: IssueResponse): Issued {
  if (token === "") throw incomplete("a token");
  return { status: statusOf(status), token, existing };
}

export function watchedOf({ status, reconnectAfter }: WatchPositionResponse): Watched {
  return { ...(status && { status: statusOf(status) }), ...reconnect(reconnectAfter) };
}

export function statusOf(status: StatusMessage | undefined): Status {
  const ticket = status?.ticket;
  if (status === undefined || ticket === undefined) throw incomplete("a ticket");
  const requestState = known(REQUEST_STATES, ticket.requestState);
  return {
    ...factsOf(ticket),
    ...(requestState !== undefined && { requestState }),
    ...(ticket.position !== undefined && { position: ticket.position }),
    ...(ticket.waitP50 && { waitP50: durationMs(ticket.waitP50) }),
    ...(ticket.waitP90 && { waitP90: durationMs(ticket.waitP90) }),
    ...(ticket.endedAt && { endedAt: timestampDate(ticket.endedAt) }),
    ...(status.pass !== "" && { pass: status.pass }),
    stale: status.stale,
    ...(status.notice !== "" && { notice: status.notice }),
    ...(status.retryAfter && { retryAfter: durationMs(status.retryAfter) }),
    asOf: `${status.asOf}`,
  };
}

export function factsOf(ticket: Ticket | undefined): TicketFacts {
  if (ticket === undefined) throw incomplete("a ticket");
  const { id, queue, number, state, issuedAt, admittedAt } = ticket;
  return {
    id,
    queue,
    number,
    state: known(TICKET_STATES, state) ?? "other",
    ...date("issuedAt", issuedAt),
    ...date("admittedAt", admittedAt),
  };
}

export function queueOf({ queue }: GetQueueResponse): QueueStatus {
  if (queue === undefined) throw incomplete("a queue");
  const { name, kind, mode, waiting, nowServing, lastNumber, pacePerSecond, notice } = queue;
  return {
    name,
    kind: known(KINDS, kind) ?? "other",
    mode: known(MODES, mode) ?? "other",
    waiting,
    nowServing,
    lastNumber,
    ...(pacePerSecond !== undefined && { pacePerSecond }),
    ...(notice !== "" && { notice }),
  };
}

export function admittedOf({ admitted, numbers, waiting }: AdmitResponse): Admitted {
  return { admitted, numbers, waiting };
}

export function admissionOf(message: WatchAdmissionsResponse): AdmissionMessage {
  const { cursor, ticket, subject, attributes, reconnectAfter } = message;
  return {
    cursor: `${cursor}`,
    ...(ticket && { ticket: factsOf(ticket) }),
    ...(subject !== "" && { subject }),
    attributes,
    ...reconnect(reconnectAfter),
  };
}

/** A cursor, or how far has been seen: opaque to callers, and a number on the wire. */
export function offset(text: string): bigint {
  if (!/^\d{1,20}$/.test(text)) throw new UsherError("misused", `"${text}" is no cursor that Usher gave`);
  return BigInt(text);
}

/** What a number means; "other" for one of a newer server. */
function known<V>(names: Readonly<Record<number, V>>, number: number): V | "other" {
  return number in names ? (names[number] as V) : "other";
}

function date<K extends string>(name: K, timestamp: Timestamp | undefined): { readonly [N in K]?: Date } {
  return (timestamp ? { [name]: timestampDate(timestamp) } : {}) as { readonly [N in K]?: Date };
}

function reconnect(after: Duration | undefined): Pick<Watched, "reconnectAfter"> {
  return after ? { reconnectAfter: durationMs(after) } : {};
}

function incomplete(what: string): UsherError {
  return new UsherError("unexpected_answer", `the answer lacks ${what}: is there an Usher behind this URL?`);
}
