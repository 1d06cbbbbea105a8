// The node's metrics: what is read of the replica when somebody asks.

import { type Replica, VERSION } from "@usher/replica";
import { type Metrics, type MetricsOptions, type Readings, startMetrics } from "@usher/telemetry";

/** Serves a node's metrics. Rejects with an `EndpointError` where the port cannot be had. */
export function startNodeMetrics(
  replica: Replica,
  place: Pick<MetricsOptions, "host" | "port">,
): Promise<Metrics> {
  return startMetrics({ ...place, read: () => readingsOf(replica) });
}

function readingsOf(replica: Replica): Readings {
  const { node, ready, stale, halted, fold } = replica;
  return {
    node,
    version: VERSION,
    ready,
    keepsTime: replica.timekeeper?.own === true,
    term: fold.term,
    logTime_ms: fold.now_ms,
    log: halted !== undefined ? "halted" : stale ? "stale" : "current",
    lag_ms: replica.lag_ms,
    asOf: replica.asOf,
    records: replica.records,
    queues: fold.queues(),
  };
}
