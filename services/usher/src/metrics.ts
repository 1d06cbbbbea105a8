// The node's metrics: what is read of the replica, of its data on the disk and of the process when somebody asks.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Replica, VERSION } from "@usher/replica";
import {
  type Metrics,
  type MetricsOptions,
  ProcessWatch,
  type Readings,
  startMetrics,
} from "@usher/telemetry";

/** What the databases are called, and the journals that SQLite keeps beside them. */
const DATABASE = /\.db(-wal|-shm)?$/;

export interface WatchedNode {
  readonly name: string;
  /** The directory of its data. */
  readonly data: string;
  readonly replica: () => Replica | undefined;
}

/** Serves a node's metrics, also while it starts and has no replica yet. Rejects with an `EndpointError` where the port
 * cannot be had. */
export async function startNodeMetrics(
  place: Pick<MetricsOptions, "host" | "port">,
  node: WatchedNode,
): Promise<Metrics> {
  const watch = new ProcessWatch();
  const read = (): Readings => ({
    ...replicaReadings(node),
    data_bytes: bytesIn(node.data),
    process: watch.read(),
  });
  try {
    const metrics = await startMetrics({ ...place, read });
    const close = async (): Promise<void> => {
      watch.close();
      await metrics.close();
    };
    return { url: metrics.url, port: metrics.port, close };
  } catch (error) {
    watch.close();
    throw error;
  }
}

type ReplicaReadings = Omit<Readings, "data_bytes" | "process">;

function replicaReadings({ name, replica }: WatchedNode): ReplicaReadings {
  const running = replica();
  return running === undefined ? startingReadings(name) : readingsOf(running);
}

function startingReadings(node: string): ReplicaReadings {
  return {
    ...{ node, version: VERSION, ready: false, streams: 0, keepsTime: false, term: 0, logTime_ms: 0 },
    ...{ log: "stale", lag_ms: Number.POSITIVE_INFINITY, asOf: 0 },
    ...{ records: { folded: 0, ignored: 0, skipped: 0 }, queues: [] },
  };
}

function readingsOf(replica: Replica): ReplicaReadings {
  const { node, ready, stale, halted, fold } = replica;
  return {
    node,
    version: VERSION,
    ready,
    streams: replica.places.watchers,
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

/** What the databases in a directory take, in bytes; 0 where it is not there yet. A few files: looked at in place. */
function bytesIn(directory: string): number {
  try {
    return readdirSync(directory)
      .filter((file) => DATABASE.test(file))
      .reduce(
        (sum, file) => sum + (statSync(join(directory, file), { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
  } catch {
    return 0;
  }
}
