// Spans around the log: one for each append, and for each ticket how long it waited for its turn.

import { type Attributes, context, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { below, headersOf, spanContextOf, type TraceHeaders } from "./context.ts";
import { ATTRIBUTES, appendSpan, SPANS } from "./names.ts";
import { ticketTrace } from "./ticket-traces.ts";

/** Whose spans these are. */
export const TRACER = "usher";

/** The log, as the messaging conventions want it named. */
export interface LogNames {
  /** `kafka`, or `sqlite` for the embedded one. */
  readonly system: string;
  /** `usher.queues` */
  readonly destination: string;
}

/** A record on its way into the log. */
export interface AppendSpan {
  /** What the record carries. */
  readonly headers: TraceHeaders | undefined;
  ended(outcome: string): void;
}

/** Begins the span of an append, below the span that is active, else below what its caller's headers name. Absent
 * where there is neither: what a node writes of its own accord belongs to no trace. */
export function startAppend(
  log: LogNames,
  record: { readonly kind: string; readonly queue?: string; readonly number?: number },
  headers: TraceHeaders | undefined,
): AppendSpan | undefined {
  const active = trace.getActiveSpan();
  const parent = active === undefined ? below(spanContextOf(headers)) : context.active();
  if (trace.getSpanContext(parent) === undefined) return undefined;
  const attributes: Attributes = {
    "messaging.system": log.system,
    "messaging.operation.name": "append",
    "messaging.operation.type": "send",
    "messaging.destination.name": log.destination,
    ...(record.queue !== undefined && { [ATTRIBUTES.queue]: record.queue }),
    ...(record.number !== undefined && { [ATTRIBUTES.ticket]: record.number }),
  };
  const options = { kind: SpanKind.PRODUCER, attributes };
  const span = trace.getTracer(TRACER).startSpan(appendSpan(record.kind), options, parent);
  return {
    headers: headersOf(span.spanContext()) ?? headers,
    ended(outcome) {
      span.setAttribute(ATTRIBUTES.outcome, outcome);
      if (outcome === "failed") fail(span, outcome);
      span.end();
    },
  };
}

/** A ticket's turn has come. Times are by the wall clocks of who wrote the records, in ms since 1970. */
export interface Admitted {
  readonly queue: string;
  readonly number: number;
  readonly issued_ms: number;
  readonly admitted_ms: number;
}

/** Tells how long a ticket waited: from its record's trace context on, whoever wrote that. */
export function recordWait({ queue, number, issued_ms, admitted_ms }: Admitted): void {
  const known = ticketTrace(queue, number);
  if (known === undefined) return;
  const tracer = trace.getTracer(TRACER);
  const attributes = { [ATTRIBUTES.queue]: queue, [ATTRIBUTES.ticket]: number };
  const parent = below(known.issued);
  const wait = tracer.startSpan(SPANS.wait, { attributes, startTime: issued_ms }, parent);
  const within = trace.setSpan(parent, wait);
  // Two nodes' clocks may differ: a wait does not end before it begins.
  const end_ms = Math.max(issued_ms, admitted_ms);
  tracer.startSpan(SPANS.admit, { attributes, startTime: end_ms }, within).end(end_ms);
  wait.end(end_ms);
}

/** Marks a span as gone wrong, in a word of a closed set. */
export function fail(span: Span, type: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
