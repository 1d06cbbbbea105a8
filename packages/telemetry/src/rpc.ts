// RPCs as metrics and traces see them, on whichever port and in whichever protocol they come: how each ended, by
// gRPC's name of the code, and a span by the semantic conventions for RPC (opentelemetry.io/docs/specs/semconv/rpc).

import {
  type Attributes,
  context,
  defaultTextMapGetter,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
} from "@opentelemetry/api";
import { fail, TRACER } from "./log-spans.ts";
import { count } from "./tally.ts";
import { isTracing } from "./tracing.ts";

export type RpcProtocol = "connect" | "grpc" | "grpc_web";

/** What is called that is not there, whatever its client called it. */
export const OTHER_METHOD = "_OTHER";

/** By number, as gRPC writes them. */
const CODES: readonly string[] = [
  ...["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"],
  ...["PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE"],
  ...["UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"],
];

/** What is the server's fault, by the conventions for gRPC; the others are the caller's. */
const FAULTS = new Set([
  ...["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"],
]);

/** A call is over. `method` as the contract has it (`usher.queue.v1.QueueService/Issue`), or `OTHER_METHOD`; `code` by
 * number, 0 for a call that was answered. */
export function countRpc(method: string, protocol: RpcProtocol, code: number): void {
  count("usher.rpc.calls", [method, protocol, nameOf(code)]);
}

/** Says in its span how a call ended. */
export function tellRpc(span: Span, code: number): void {
  const name = nameOf(code);
  span.setAttribute("rpc.status_code", name);
  if (FAULTS.has(name)) fail(span, name);
}

/** How the span of a call is called, and what it says from the start. */
export function rpcNames(method: string, protocol: RpcProtocol): { name: string; attributes: Attributes } {
  const system = protocol === "connect" ? "connectrpc" : "grpc";
  const attributes = { "rpc.system.name": system, "rpc.method": method };
  return { name: method === OTHER_METHOD ? system : method, attributes };
}

/** A call that is under way. */
export interface RpcObserved {
  /** Runs what answers it, so that what that does belongs to the call's span; absent where it has none. */
  readonly within?: <T>(work: () => T) => T;
  /** It is over, with this code. */
  ended(code: number): void;
}

/** A call begins; `headers` as they came, by the propagators that the operator chose. For a port whose calls have no
 * span otherwise. */
export function observeRpc(
  method: string,
  protocol: RpcProtocol,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): RpcObserved {
  if (!isTracing()) return { ended: (code) => countRpc(method, protocol, code) };
  const parent = propagation.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
  const { name, attributes } = rpcNames(method, protocol);
  const span = trace.getTracer(TRACER).startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
  const active = trace.setSpan(parent, span);
  return {
    within: (work) => context.with(active, work),
    ended(code) {
      countRpc(method, protocol, code);
      tellRpc(span, code);
      span.end();
    },
  };
}

function nameOf(code: number): string {
  return CODES[code] ?? "UNKNOWN";
}
