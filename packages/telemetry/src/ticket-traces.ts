// Which trace each ticket belongs to, read off the records as the log is followed: so the node that admits a ticket, or
// hands its answer over, may be another than the one that took it, or the same one after a restart. Filled only while
// traces are on.

import type { SpanContext } from "@opentelemetry/api";
import { isSampled, spanContextOf, type TraceHeaders } from "./context.ts";

/** Tickets whose trace is remembered; 10,000, about 4 MB. Beyond, the oldest is forgotten: its wait is not shown, and
 * its answer not linked. The claim is not concerned: what is stored with the request leads to the same trace. */
const TICKETS_MAX = 10_000;

export interface TicketTrace {
  /** The record that issued it. */
  readonly issued: SpanContext;
  /** The last record that claimed it; absent before. */
  readonly claimed?: SpanContext;
}

const traces = new Map<string, TicketTrace>();

export function ticketTrace(queue: string, number: number): TicketTrace | undefined {
  return traces.get(keyOf(queue, number));
}

/** A record issued the ticket. Traces that nobody sees are not kept. */
export function ticketIssued(queue: string, number: number, headers: TraceHeaders | undefined): void {
  const issued = spanContextOf(headers);
  if (issued === undefined || !isSampled(issued)) return;
  traces.set(keyOf(queue, number), { issued });
  const [oldest] = traces.keys();
  if (traces.size > TICKETS_MAX && oldest !== undefined) traces.delete(oldest);
}

/** A record claimed it. */
export function ticketClaimed(queue: string, number: number, headers: TraceHeaders | undefined): void {
  const known = ticketTrace(queue, number);
  const claimed = spanContextOf(headers);
  if (known !== undefined && claimed !== undefined) traces.set(keyOf(queue, number), { ...known, claimed });
}

export function ticketForgotten(queue: string, number: number): void {
  traces.delete(keyOf(queue, number));
}

function keyOf(queue: string, number: number): string {
  return `${queue}:${number}`;
}
