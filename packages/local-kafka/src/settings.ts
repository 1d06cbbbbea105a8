// The settings of one broker: a combined controller and broker, small, and quick to notice that another is gone.

import { HOST } from "./ports.ts";
import { type Listener, PROTOCOLS, type Security, securityProperties } from "./security.ts";

/** Where a broker of the cluster listens. */
export interface Ports {
  readonly id: number;
  readonly controller: number;
  /** For the brokers among themselves, and for tools: never behind a proxy. */
  readonly inside: number;
  /** For clients. */
  readonly clients: ReadonlyMap<Listener, Door>;
}

export interface Door {
  readonly port: number;
  /** The port that clients are told; another than `port` where a proxy stands before it. */
  readonly advertised: number;
}

export interface ClusterSettings {
  readonly ports: readonly Ports[];
  readonly security: Security;
  /** Over those below. */
  readonly properties: Readonly<Record<string, string>>;
}

/** A client's wait for a broker that died should be seconds in a test, not Kafka's half a minute. */
const QUICK_FAILOVER = {
  "broker.session.timeout.ms": 3_000,
  "broker.heartbeat.interval.ms": 500,
  "controller.quorum.fetch.timeout.ms": 1_000,
  "replica.lag.time.max.ms": 3_000,
  "group.initial.rebalance.delay.ms": 0,
};

const SMALL = {
  "num.network.threads": 2,
  "num.io.threads": 4,
  "offsets.topic.num.partitions": 3,
  "transaction.state.log.num.partitions": 3,
  "share.coordinator.state.topic.num.partitions": 3,
  // In bytes; by default it takes 128 MiB of the heap.
  "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
};

/** What server.properties of broker `id` says; `directory` holds its data. */
export function propertiesOf(cluster: ClusterSettings, id: number, directory: string): string {
  const all: Record<string, string | number | boolean> = {
    ...network(cluster, id),
    "log.dirs": directory,
    "auto.create.topics.enable": false,
    ...replication(cluster.ports.length),
    ...QUICK_FAILOVER,
    ...SMALL,
    ...securityProperties(cluster.security),
    ...cluster.properties,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

function network({ ports }: ClusterSettings, id: number): Record<string, string | number> {
  const own = ports.find((one) => one.id === id);
  if (own === undefined) throw new RangeError(`the cluster has no broker ${id}`);
  const clients = [...own.clients];
  const at = (name: string, port: number) => `${name.toUpperCase()}://${HOST}:${port}`;
  const doors = {
    listeners: clients.map(([name, { port }]) => at(name, port)),
    advertised: clients.map(([name, { advertised }]) => at(name, advertised)),
    protocols: clients.map(([name]) => `${name.toUpperCase()}:${PROTOCOLS[name]}`),
  };
  return {
    "process.roles": "broker,controller",
    "node.id": id,
    "controller.quorum.voters": ports.map((one) => `${one.id}@${HOST}:${one.controller}`).join(","),
    listeners: [at("controller", own.controller), at("inside", own.inside), ...doors.listeners].join(","),
    "advertised.listeners": [at("inside", own.inside), ...doors.advertised].join(","),
    "listener.security.protocol.map": ["CONTROLLER:PLAINTEXT", "INSIDE:PLAINTEXT", ...doors.protocols].join(
      ",",
    ),
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INSIDE",
  };
}

/** Every record on all brokers; written when all but one have it. */
function replication(brokers: number): Record<string, number> {
  const inSync = brokers === 1 ? 1 : brokers - 1;
  return {
    "default.replication.factor": brokers,
    "min.insync.replicas": inSync,
    "offsets.topic.replication.factor": brokers,
    "transaction.state.log.replication.factor": brokers,
    "transaction.state.log.min.isr": inSync,
    "share.coordinator.state.topic.replication.factor": brokers,
    "share.coordinator.state.topic.min.isr": inSync,
  };
}
