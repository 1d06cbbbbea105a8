// What became of a request for a queue, and why.

import { SpanKind, trace } from "@opentelemetry/api";
import { ATTRIBUTES, count, isTracing, SPANS, TRACER } from "@usher/telemetry";

/** In the words of the metrics. */
const ACTIONS = { pass: "passed", ticket: "queued", refuse: "refused" } as const;

interface Decided {
  readonly action: keyof typeof ACTIONS;
  /** One of a closed set. */
  readonly reason: string;
}

/** Decides, and tells what. */
export function observeDecision<D extends Decided>(queue: string, decide: () => D): D {
  if (!isTracing()) return counted(queue, decide());
  const span = trace.getTracer(TRACER).startSpan(SPANS.decide, {
    kind: SpanKind.INTERNAL,
    attributes: { [ATTRIBUTES.queue]: queue },
  });
  try {
    const decided = counted(queue, decide());
    span.setAttributes({
      [ATTRIBUTES.action]: ACTIONS[decided.action],
      [ATTRIBUTES.reason]: decided.reason,
    });
    return decided;
  } finally {
    span.end();
  }
}

function counted<D extends Decided>(queue: string, decided: D): D {
  count("usher.gateway.decisions", [queue, ACTIONS[decided.action], decided.reason]);
  return decided;
}
