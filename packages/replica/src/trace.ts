// The trace that a request belongs to, as its headers carry it (W3C Trace Context, w3.org/TR/trace-context): handed on
// to the log beside the records that the request leads to. What is malformed is left out, as the standard wants.

const PARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;

/** Characters of `tracestate`; 512, which the standard says must be handed on. A longer one is left out. */
const STATE_LENGTH_MAX = 512;

/** Absent where the request belongs to no trace. `header` gives a header's value by its name in lower case. */
export function traceContext(
  header: (name: "traceparent" | "tracestate") => string | undefined,
): Readonly<Record<string, string>> | undefined {
  const traceparent = header("traceparent");
  if (traceparent === undefined || !PARENT.test(traceparent)) return undefined;
  const tracestate = header("tracestate");
  const handedOn = tracestate !== undefined && /^[ -~]+$/.test(tracestate);
  return handedOn && tracestate.length <= STATE_LENGTH_MAX ? { traceparent, tracestate } : { traceparent };
}
