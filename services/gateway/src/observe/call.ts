// A request at a service, as metrics and traces see it.

import { context, propagation, type Span, SpanKind, trace } from "@opentelemetry/api";
import { fail, isTracing, measure, TRACER } from "@usher/telemetry";
import type { Outgoing, Service } from "../forward/service.ts";

/** What a service may be told of a trace. Not `baggage`, which is the client's to fill: it goes on as it came. */
const CARRIED = /^(traceparent|tracestate|b3|x-b3-[a-z]+)$/;

/** - `whole`: the whole answer came; its status tells more.
 * - `given_up`: by this side: its client went away, or the answer was too large. */
type End = "whole" | "given_up" | "not_connected" | "lost" | "timed_out";

export class ObservedCall {
  /** What is sent: where there is a trace, with where it goes on. */
  readonly request: Outgoing;
  readonly #service: string;
  readonly #began_ms = performance.now();
  #span: Span | undefined;
  #status = 0;
  #over = false;

  constructor(service: Service, request: Outgoing) {
    this.#service = service.name;
    // Without a request that it belongs to, what the headers say of a trace goes on as it came.
    const traced = isTracing() && trace.getActiveSpan() !== undefined;
    this.#span = traced ? startSpan(service, request) : undefined;
    this.request = this.#span === undefined ? request : carrying(this.#span, request);
  }

  /** The head of the answer is here. */
  answered(status: number): void {
    this.#status = status;
  }

  /** The first call counts. */
  end(end: End): void {
    if (this.#over) return;
    this.#over = true;
    const result = end === "whole" ? `${Math.floor(this.#status / 100)}xx` : end;
    const seconds = (performance.now() - this.#began_ms) / 1000;
    measure("usher.service.request_seconds", [this.#service, result], seconds);
    if (this.#span === undefined) return;
    if (this.#status > 0) this.#span.setAttribute("http.response.status_code", this.#status);
    if (end !== "whole") fail(this.#span, end);
    else if (this.#status >= 400) fail(this.#span, `${this.#status}`);
    this.#span.end();
  }
}

function startSpan(service: Service, { method }: Outgoing): Span {
  const { hostname, port, protocol } = new URL(service.origin);
  return trace.getTracer(TRACER).startSpan(method, {
    kind: SpanKind.CLIENT,
    attributes: {
      "http.request.method": method,
      "server.address": hostname.replace(/^\[(.*)\]$/, "$1"),
      "server.port": Number(port) || (protocol === "https:" ? 443 : 80),
      "usher.service.name": service.name,
    },
  });
}

function carrying(span: Span, request: Outgoing): Outgoing {
  const carried: Record<string, string> = {};
  propagation.inject(trace.setSpan(context.active(), span), carried);
  const headers: string[] = [];
  for (let at = 0; at + 1 < request.headers.length; at += 2) {
    const [name = "", value = ""] = request.headers.slice(at, at + 2);
    if (!CARRIED.test(name.toLowerCase())) headers.push(name, value);
  }
  for (const [name, value] of Object.entries(carried))
    if (CARRIED.test(name.toLowerCase())) headers.push(name, value);
  return { ...request, headers };
}
