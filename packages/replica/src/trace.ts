// The trace that a request belongs to, as its headers carry it (W3C Trace Context, w3.org/TR/trace-context): handed on
// to the log beside the records that the request leads to. What is malformed is left out, as the standard wants. And
// who watches a replica at work: telemetry, which this package knows nothing of.

import type { LogEvent, Outcome } from "@usher/queue";
import type { Appended } from "./log/appender.ts";
import type { RecordOptions } from "./log/session.ts";
import type { ReaderListener } from "./reader.ts";

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

/** Watches a replica at work, for metrics and traces. It stands in the way of every record, so it is quick; and it
 * must not throw. */
export interface ReplicaObserver extends ReaderListener {
  /** A record is about to be appended: tells with what it is, and hears what became of it. */
  appending(event: LogEvent, options: RecordOptions | undefined): ObservedAppend;
}

export interface ObservedAppend {
  readonly options: RecordOptions | undefined;
  /** Absent: the append failed. */
  ended(outcome: Outcome | undefined): void;
}

/** Appends under the eyes of an observer, if there is one. */
export async function observedAppend(
  observer: ReplicaObserver | undefined,
  event: LogEvent,
  options: RecordOptions | undefined,
  append: (options: RecordOptions | undefined) => Promise<Appended>,
): Promise<Appended> {
  if (observer === undefined) return append(options);
  const observed = observer.appending(event, options);
  try {
    const appended = await append(observed.options);
    observed.ended(appended.outcome);
    return appended;
  } catch (error) {
    observed.ended(undefined);
    throw error;
  }
}
