// The contract's messages in JSON, as the client has them. Enums come as names; those that this build does not know are
// `other`, and fields that it does not know are passed over.

import type {
  GetQueueResponseJson,
  IssueResponseJson,
  QueueKindJson,
  QueueModeJson,
  RequestStateJson,
  StatusJson,
  TicketStateJson,
  WatchPositionResponseJson,
} from "@usher/protocol/queue";
import { UsherError } from "../../errors.ts";
import type { RequestState, Status, TicketState } from "../../status.ts";
import type { Issued, QueueStatus, Watched } from "../rpc.ts";

const TICKET_STATES: Readonly<Record<TicketStateJson, TicketState>> = {
  TICKET_STATE_UNSPECIFIED: "other",
  TICKET_STATE_WAITING: "waiting",
  TICKET_STATE_ADMITTED: "admitted",
  TICKET_STATE_COMPLETED: "completed",
  TICKET_STATE_LEFT: "left",
  TICKET_STATE_EXPIRED: "expired",
};

const REQUEST_STATES: Readonly<Record<RequestStateJson, RequestState | undefined>> = {
  REQUEST_STATE_UNSPECIFIED: undefined,
  REQUEST_STATE_STORED: "stored",
  REQUEST_STATE_SENDING: "sending",
  REQUEST_STATE_ANSWERED: "answered",
  REQUEST_STATE_FAILED: "failed",
  REQUEST_STATE_UNKNOWN: "unknown",
};

const KINDS: Readonly<Record<QueueKindJson, QueueStatus["kind"]>> = {
  QUEUE_KIND_UNSPECIFIED: "other",
  QUEUE_KIND_DEFER: "defer",
  QUEUE_KIND_PASS: "pass",
};

const MODES: Readonly<Record<QueueModeJson, QueueStatus["mode"]>> = {
  QUEUE_MODE_UNSPECIFIED: "other",
  QUEUE_MODE_AUTO: "auto",
  QUEUE_MODE_QUEUE_ALL: "queue_all",
  QUEUE_MODE_PAUSED: "paused",
  QUEUE_MODE_OPEN: "open",
  QUEUE_MODE_CLOSED: "closed",
};

export function issuedOf({ status, token = "", existing = false }: IssueResponseJson): Issued {
  if (token === "") throw incomplete("a token");
  return { status: statusOf(status), token, existing };
}

export function watchedOf({ status, reconnectAfter }: WatchPositionResponseJson): Watched {
  const reconnect_ms = milliseconds(reconnectAfter);
  return {
    ...(status !== undefined && { status: statusOf(status) }),
    ...(reconnect_ms !== undefined && { reconnectAfter: reconnect_ms }),
  };
}

export function statusOf(status: StatusJson | undefined): Status {
  const ticket = status?.ticket;
  if (status === undefined || ticket?.id === undefined) throw incomplete("a ticket");
  const requestState =
    ticket.requestState === undefined ? undefined : named(REQUEST_STATES, ticket.requestState);
  return defined({
    id: ticket.id,
    queue: ticket.queue ?? "",
    number: ticket.number ?? 0,
    state: named(TICKET_STATES, ticket.state ?? "TICKET_STATE_UNSPECIFIED") ?? "other",
    requestState,
    position: ticket.position,
    waitP50: milliseconds(ticket.waitP50),
    waitP90: milliseconds(ticket.waitP90),
    issuedAt: date(ticket.issuedAt),
    admittedAt: date(ticket.admittedAt),
    endedAt: date(ticket.endedAt),
    pass: status.pass || undefined,
    stale: status.stale ?? false,
    notice: status.notice || undefined,
    retryAfter: milliseconds(status.retryAfter),
    asOf: `${status.asOf ?? 0}`,
  });
}

export function queueOf({ queue }: GetQueueResponseJson): QueueStatus {
  if (queue?.name === undefined) throw incomplete("a queue");
  const pace = queue.pacePerSecond;
  return defined({
    name: queue.name,
    kind: named(KINDS, queue.kind ?? "QUEUE_KIND_UNSPECIFIED") ?? "other",
    mode: named(MODES, queue.mode ?? "QUEUE_MODE_UNSPECIFIED") ?? "other",
    waiting: queue.waiting ?? 0,
    nowServing: queue.nowServing ?? 0,
    lastNumber: queue.lastNumber ?? 0,
    pacePerSecond: pace === undefined ? undefined : Number(pace),
    notice: queue.notice || undefined,
  });
}

/** What a name means; "other" for one of a newer server. */
function named<N extends string, V>(names: Readonly<Record<N, V>>, name: string): V | "other" {
  return Object.hasOwn(names, name) ? names[name as N] : "other";
}

/** JSON's durations: `1.500s`. */
export function milliseconds(duration: string | undefined): number | undefined {
  const seconds = Number.parseFloat(duration ?? "");
  return Number.isNaN(seconds) ? undefined : Math.round(seconds * 1000);
}

function date(timestamp: string | undefined): Date | undefined {
  return timestamp === undefined ? undefined : new Date(timestamp);
}

/** Without the members that are undefined. */
function defined<T extends object>(members: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}

function incomplete(what: string): UsherError {
  return new UsherError("unexpected_answer", `the answer lacks ${what}: is there an Usher behind this URL?`);
}
