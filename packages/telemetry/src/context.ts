// Where a span belongs, as it goes from one process to another beside a record: W3C Trace Context, which is what the
// log's records carry whatever propagators the operator chose for HTTP.

import {
  type Context,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  trace,
} from "@opentelemetry/api";

/** `traceparent`, and `tracestate` where there is one. */
export type TraceHeaders = Readonly<Record<string, string>>;

const PARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/;

/** What is to be carried so that others can go on from a span; absent where it belongs to no trace. */
export function headersOf(span: SpanContext): TraceHeaders | undefined {
  if (!isSpanContextValid(span)) return undefined;
  const flags = (span.traceFlags & 0xff).toString(16).padStart(2, "0");
  const traceparent = `00-${span.traceId}-${span.spanId}-${flags}`;
  const tracestate = span.traceState?.serialize();
  return tracestate ? { traceparent, tracestate } : { traceparent };
}

/** The other way round; absent for what is none. */
export function spanContextOf(headers: TraceHeaders | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = PARENT.exec(headers?.traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const tracestate = headers?.tracestate;
  const context: SpanContext = {
    ...{ traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true },
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  };
  return isSpanContextValid(context) ? context : undefined;
}

/** A context in which spans become children of that one. */
export function below(parent: SpanContext | undefined): Context {
  return parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
}

/** Whether anybody will see it. */
export function isSampled({ traceFlags }: SpanContext): boolean {
  return (traceFlags & 1) === 1;
}

/** The span that the calling code works for, for a line of a log; absent where there is none. */
export function activeTrace(): { readonly trace_id: string; readonly span_id: string } | undefined {
  const span: Span | undefined = trace.getActiveSpan();
  const context = span?.spanContext();
  if (context === undefined || !isSpanContextValid(context)) return undefined;
  return { trace_id: context.traceId, span_id: context.spanId };
}
