// What a node tells of itself to those who watch it.
//
//   names.ts           every metric and span, by name and meaning
//   tally.ts           what is counted as it happens          tally-metrics.ts   in the exporters' shape
//   readings.ts        what is read when somebody asks        process.ts         of it, the process
//   metrics.ts         both, for Prometheus                   endpoint.ts        the port on which it asks
//   tracing.ts         traces, by the standard variables      context.ts         a trace from process to process
//   log-spans.ts       spans around the log                   ticket-traces.ts   which trace a ticket belongs to
//   rpc.ts             RPCs, how they ended and their spans    refusals.ts        what was refused
//   log/               the server's own log

export { activeTrace, below, headersOf, spanContextOf, type TraceHeaders } from "./context.ts";
export { EndpointError } from "./endpoint.ts";
export { jsonLog } from "./log/json.ts";
export type { LogFields, LogLevel, ServerLog } from "./log/log.ts";
export {
  type Admitted,
  type AppendSpan,
  fail,
  type LogNames,
  recordWait,
  startAppend,
  TRACER,
} from "./log-spans.ts";
export { type Metrics, type MetricsOptions, startMetrics } from "./metrics.ts";
export { ATTRIBUTES, appendSpan, METRICS, SPANS, TALLIES } from "./names.ts";
export { ProcessWatch } from "./process.ts";
export type { LogState, ProcessReadings, QueueReadings, Readings } from "./readings.ts";
export { onRefusal, type Refusal, refused } from "./refusals.ts";
export {
  countRpc,
  OTHER_METHOD,
  observeRpc,
  type RpcObserved,
  type RpcProtocol,
  rpcNames,
  tellRpc,
} from "./rpc.ts";
export { count, type HistogramName, type LabelsOf, measure } from "./tally.ts";
export {
  type TicketTrace,
  ticketClaimed,
  ticketForgotten,
  ticketIssued,
  ticketTrace,
} from "./ticket-traces.ts";
export { isTracing, startTracing, type Tracing, type TracingOptions, wantsTraces } from "./tracing.ts";
