// Between what the fold tells and the messages of `usher.queue.v1`.

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  QueueKind as KindCode,
  QueueMode as ModeCode,
  type QueueSchema,
  RequestState as RequestCode,
  TicketState as StateCode,
  type Status,
  StatusSchema,
  type TicketSchema,
} from "@usher/protocol/queue";
import {
  NUMBER_MAX,
  type Queue,
  type QueueKind,
  type QueueMode,
  type RequestState,
  type TicketState,
  type TicketView,
  type Wait,
} from "@usher/queue";

const STATES: Readonly<Record<TicketState, StateCode>> = {
  waiting: StateCode.WAITING,
  admitted: StateCode.ADMITTED,
  completed: StateCode.COMPLETED,
  left: StateCode.LEFT,
  expired: StateCode.EXPIRED,
};
const REQUESTS: Readonly<Record<RequestState, RequestCode>> = {
  stored: RequestCode.STORED,
  sending: RequestCode.SENDING,
  answered: RequestCode.ANSWERED,
  failed: RequestCode.FAILED,
  unknown: RequestCode.UNKNOWN,
};
export const KINDS: Readonly<Record<QueueKind, KindCode>> = { defer: KindCode.DEFER, pass: KindCode.PASS };
export const MODES: Readonly<Record<QueueMode, ModeCode>> = {
  auto: ModeCode.AUTO,
  queue_all: ModeCode.QUEUE_ALL,
  paused: ModeCode.PAUSED,
  open: ModeCode.OPEN,
  closed: ModeCode.CLOSED,
};

export interface TicketId {
  readonly queue: string;
  readonly epoch: string;
  readonly number: number;
}

export function formatTicketId({ queue, epoch, number }: TicketId): string {
  return `${queue}:${epoch}:${number}`;
}

/** Absent: no ticket's id. */
export function parseTicketId(text: string): TicketId | undefined {
  const [, queue, epoch, number] = /^([a-z0-9._-]{1,64}):([0-9a-f]{16}):([1-9][0-9]{0,9})$/.exec(text) ?? [];
  if (queue === undefined || epoch === undefined || !(Number(number) <= NUMBER_MAX)) return undefined;
  return { queue, epoch, number: Number(number) };
}

/** `wait`: for a ticket that waits, where it is known. */
export function ticketMessage(
  queue: Queue,
  epoch: string,
  view: TicketView,
  wait?: Wait,
): MessageInitShape<typeof TicketSchema> {
  return {
    id: formatTicketId({ queue: queue.name, epoch, number: view.number }),
    queue: queue.name,
    number: view.number,
    state: STATES[view.state],
    requestState: view.request && REQUESTS[view.request],
    position: view.position,
    waitP50: wait && durationFromMs(Math.round(wait.p50_ms)),
    waitP90: wait && durationFromMs(Math.round(wait.p90_ms)),
    issuedAt: timestampFromMs(view.issuedWall_ms),
    admittedAt: view.admittedWall_ms === undefined ? undefined : timestampFromMs(view.admittedWall_ms),
    endedAt: view.endedWall_ms === undefined ? undefined : timestampFromMs(view.endedWall_ms),
  };
}

export interface StatusFacts {
  readonly queue: Queue;
  readonly epoch: string;
  readonly view: TicketView;
  /** The holder's pass; secret. */
  readonly pass: string | undefined;
  /** How long it still waits; absent while nobody knows. */
  readonly wait: Wait | undefined;
  /** When to ask again; absent once there is nothing to wait for. */
  readonly retry_ms: number | undefined;
  readonly stale: boolean;
  readonly asOf: number;
}

export function statusMessage(facts: StatusFacts): Status {
  const { queue, epoch, view, pass, wait, retry_ms, stale, asOf } = facts;
  return create(StatusSchema, {
    ticket: ticketMessage(queue, epoch, view, wait),
    pass,
    stale,
    notice: queue.settings.notice,
    retryAfter: retry_ms === undefined ? undefined : durationFromMs(retry_ms),
    asOf: BigInt(asOf),
  });
}

export function queueMessage(queue: Queue): MessageInitShape<typeof QueueSchema> {
  return {
    name: queue.name,
    kind: KINDS[queue.settings.kind],
    mode: MODES[queue.settings.mode],
    waiting: queue.waiting,
    nowServing: queue.nowServing,
    lastNumber: queue.lastNumber,
    pacePerSecond: queue.pace,
    notice: queue.settings.notice,
  };
}
