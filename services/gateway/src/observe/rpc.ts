// How RPCs end that do not end well, as metrics and traces see it.

import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { trace } from "@opentelemetry/api";
import { count, fail, isTracing } from "@usher/telemetry";

/** A call of the method ended with this code; `method` as the contract has it: `usher.queue.v1.QueueService/Issue`. */
export function observeRpcError(method: string, code: Code): void {
  // `INVALID_ARGUMENT`, as gRPC writes it.
  const name = (Code[code] ?? "Unknown").replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
  count("usher.rpc.errors", [method, name]);
  const span = isTracing() ? trace.getActiveSpan() : undefined;
  span?.setAttribute("rpc.response.status_code", name);
  if (span !== undefined && FAULTS.has(code)) fail(span, name);
}

/** What is the server's fault, by OpenTelemetry's conventions for gRPC; the others are the caller's. */
const FAULTS = new Set([
  ...[
    Code.Unknown,
    Code.DeadlineExceeded,
    Code.Unimplemented,
    Code.Internal,
    Code.Unavailable,
    Code.DataLoss,
  ],
]);

/** Of streams, what goes wrong before their first message: later, they end by themselves or with their client. */
export const rpcErrors: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (thrown) {
    const { service, method } = request;
    observeRpcError(`${service.typeName}/${method.name}`, ConnectError.from(thrown, Code.Internal).code);
    throw thrown;
  }
};
