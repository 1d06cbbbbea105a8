// What happens to a ticket after the request that took it: sent by whichever node, collected by its holder. The log's
// records say which trace it belongs to.

import { context, type Link, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import type { Place } from "@usher/replica";
import { ATTRIBUTES, below, isTracing, SPANS, TRACER, ticketTrace } from "@usher/telemetry";

interface Attempt {
  readonly queue: string;
  readonly number: number;
  readonly attempt: number;
}

/** One attempt at a stored request, from its claim to the log's knowing what became of it: a child of the record that
 * issued the ticket. An attempt before, on whichever node, is linked. */
export async function observeDispatch(
  { queue, number, attempt }: Attempt,
  run: () => Promise<void>,
): Promise<void> {
  if (!isTracing()) return run();
  const known = ticketTrace(queue, number);
  // Not in the trace of the request that happened to make room.
  if (known === undefined) return context.with(ROOT_CONTEXT, run);
  const parent = below(known.issued);
  const links: Link[] = known.claimed === undefined ? [] : [{ context: known.claimed }];
  const attributes = {
    "messaging.operation.name": "dispatch",
    "messaging.operation.type": "process",
    [ATTRIBUTES.queue]: queue,
    [ATTRIBUTES.ticket]: number,
    [ATTRIBUTES.attempt]: attempt,
  };
  const options = { kind: SpanKind.CONSUMER, attributes, links };
  const span = trace.getTracer(TRACER).startSpan(SPANS.dispatch, options, parent);
  try {
    await context.with(trace.setSpan(parent, span), run);
  } finally {
    span.end();
  }
}

/** The request that is being answered is about a ticket: where that came with another request, as when somebody polls
 * or tries again, the two are linked. */
export function observeHolder({ queue, view }: Place): void {
  if (!isTracing()) return;
  const span = trace.getActiveSpan();
  const known = ticketTrace(queue.name, view.number);
  if (span === undefined || known === undefined) return;
  span.setAttributes({ [ATTRIBUTES.queue]: queue.name, [ATTRIBUTES.ticket]: view.number });
  if (known.issued.traceId !== span.spanContext().traceId) span.addLink({ context: known.issued });
}

/** The holder is handed what became of the request. */
export async function observeCollection(
  { queue, view }: Place,
  outcome: string,
  collect: () => Promise<void>,
): Promise<void> {
  if (!isTracing()) return collect();
  const known = ticketTrace(queue.name, view.number);
  const span = trace.getTracer(TRACER).startSpan(SPANS.collect, {
    attributes: {
      [ATTRIBUTES.queue]: queue.name,
      [ATTRIBUTES.ticket]: view.number,
      [ATTRIBUTES.outcome]: outcome,
    },
    links: known === undefined ? [] : [{ context: known.issued }],
  });
  try {
    await collect();
  } finally {
    span.end();
  }
}
