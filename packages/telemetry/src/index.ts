// What a node tells of itself to those who watch it by numbers.
//
//   names.ts      every metric's name, kind and meaning
//   readings.ts   what is read of a node when somebody asks
//   metrics.ts    the readings as OpenTelemetry's instruments
//   endpoint.ts   the port on which Prometheus asks

export { EndpointError } from "./endpoint.ts";
export { type Metrics, type MetricsOptions, startMetrics } from "./metrics.ts";
export { METRICS } from "./names.ts";
export type { LogState, QueueReadings, Readings } from "./readings.ts";
