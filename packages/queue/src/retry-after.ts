// When whoever polls should ask again: near the front soon, far from it seldom, and never all at once.

import type { Wait } from "./estimate.ts";
import type { Queue } from "./queue.ts";
import type { TicketView } from "./ticket.ts";

/** What the wait is divided by: with ten looks, nobody's turn is missed by more than a tenth of the wait. */
const LOOKS = 10;

/** Least and most of the time between two looks before it is spread, in ms. */
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 20_000;

/** The least where nothing will have moved within a second, in ms: the queue is paused, or this node cannot tell. */
const STILL_MIN_MS = 5_000;

/** By how much of itself, and by how many ms beside, it is lengthened: never shortened, at most to 30 s. */
const SPREAD_PART = 0.45;
const SPREAD_MS = 1_000;

/** What is known where the question is asked. */
export interface Asked {
  /** The ticket's wait; absent while nobody knows. */
  readonly wait: Wait | undefined;
  /** Nobody can tell at present how the queue goes on: the log is not read, or nobody keeps time. */
  readonly still: boolean;
  /** The wall clock; with the ticket, it says by how much its holder is spread. */
  readonly now_ms: number;
}

/** In whole seconds of ms, since `Retry-After` knows no parts. The same ticket at the same moment is told the same;
 * others, and the same at another moment, are told something else, so that those who came together do not come back
 * together. Absent once there is nothing to wait for. */
export function retryAfter_ms(
  queue: Queue,
  view: TicketView,
  { wait, still, now_ms }: Asked,
): number | undefined {
  const { position } = view;
  if (position === undefined) return undefined;
  if (position === 0) return RETRY_MIN_MS;
  const least_ms = still || queue.settings.mode === "paused" ? STILL_MIN_MS : RETRY_MIN_MS;
  const wait_ms = wait?.p50_ms ?? (position * 1_000) / paceOf(queue);
  const after_ms = Math.min(RETRY_MAX_MS, Math.max(least_ms, wait_ms / LOOKS));
  const spread_ms = (SPREAD_PART * after_ms + SPREAD_MS) * share(view.number, now_ms);
  return Math.floor((after_ms + spread_ms) / 1_000) * 1_000;
}

/** What the limit lets expect, in admissions a second, while nothing was measured: the rate; or that a stored request
 * takes a second, and a person the whole session. */
function paceOf({ settings }: Queue): number {
  const { kind, rate_thousandths, max_active, session_ms } = settings;
  if (rate_thousandths > 0) return rate_thousandths / 1_000;
  return kind === "pass" ? (max_active * 1_000) / session_ms : max_active;
}

/** From 0 up to 1, for a ticket at a moment: the finalizer of MurmurHash3 (A. Appleby). */
function share(number: number, now_ms: number): number {
  let mixed = (Math.imul(number, 0x9e3779b1) ^ Math.floor(now_ms)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
}
