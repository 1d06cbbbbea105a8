// The node's metrics: what is read of the replica when somebody asks.

import { type Replica, VERSION } from "@usher/replica";
import { type Metrics, type MetricsOptions, type Readings, startMetrics } from "@usher/telemetry";

/** Serves a node's metrics, also while it starts and has no replica yet. Rejects with an `EndpointError` where the port
 * cannot be had. */
export function startNodeMetrics(
  place: Pick<MetricsOptions, "host" | "port">,
  node: { readonly name: string; readonly replica: () => Replica | undefined },
): Promise<Metrics> {
  return startMetrics({
    ...place,
    read: () => {
      const replica = node.replica();
      return replica === undefined ? startingReadings(node.name) : readingsOf(replica);
    },
  });
}

function startingReadings(node: string): Readings {
  return {
    ...{ node, version: VERSION, ready: false, keepsTime: false, term: 0, logTime_ms: 0 },
    ...{ log: "stale", lag_ms: Number.POSITIVE_INFINITY, asOf: 0 },
    ...{ records: { folded: 0, ignored: 0, skipped: 0 }, queues: [] },
  };
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
    queues: [...fold.queues()],
  };
}
