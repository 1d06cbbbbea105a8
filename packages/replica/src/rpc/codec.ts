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
  waitAt,
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

export function ticketMessage(
  queue: Queue,
  epoch: string,
  view: TicketView,
): MessageInitShape<typeof TicketSchema> {
  const wait = estimate(queue, view);
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
  readonly stale: boolean;
  readonly asOf: number;
}

export function statusMessage({ queue, epoch, view, pass, stale, asOf }: StatusFacts): Status {
  const retry_ms = retryAfter_ms(queue, view);
  return create(StatusSchema, {
    ticket: ticketMessage(queue, epoch, view),
    pass,
    stale,
    notice: queue.settings.notice,
    retryAfter: retry_ms === undefined ? undefined : durationFromMs(retry_ms),
    asOf: BigInt(asOf),
  });
}

/** Bounds of the time between two polls, in ms. */
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 30_000;

/** When to ask again, in whole seconds: a tenth of the wait that is left, by the measured pace, or by the limit while
 * there is none; so that those near the front ask soon and those far from it seldom. Absent once there is nothing to
 * wait for. */
export function retryAfter_ms(queue: Queue, view: TicketView): number | undefined {
  if (view.endedWall_ms !== undefined) return undefined;
  const { rate_thousandths, max_active } = queue.settings;
  const pace = queue.pace ?? (rate_thousandths > 0 ? rate_thousandths / 1000 : max_active);
  const wait_ms = ((view.position ?? 0) * 1000) / pace;
  return Math.ceil(Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, wait_ms / 10)) / 1000) * 1000;
}

function estimate(queue: Queue, view: TicketView): { p50_ms: number; p90_ms: number } | undefined {
  const { pace } = queue;
  return view.state === "waiting" && view.position && pace ? waitAt(view.position, pace) : undefined;
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
