// The settings of one broker: a combined controller and broker, small, and quick to notice that another is gone.

import { HOST } from "./ports.ts";

/** `plain`: no encryption, no password. */
export type Listener = "plain";

/** Where a broker of the cluster listens. */
export interface Ports {
  readonly id: number;
  readonly controller: number;
  /** For the brokers among themselves, and for tools: never behind a proxy. */
  readonly inside: number;
  /** For clients. */
  readonly clients: ReadonlyMap<Listener, Doors>;
}

export interface Doors {
  readonly port: number;
  /** The port that clients are told; another than `port` where a proxy stands before it. */
  readonly advertised: number;
}

export interface Cluster {
  readonly ports: readonly Ports[];
  /** Over those below. */
  readonly properties: Readonly<Record<string, string>>;
}

const PROTOCOLS: Readonly<Record<Listener, string>> = { plain: "PLAINTEXT" };

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
  // By default a third of the heap of three brokers.
  "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
};

/** What server.properties of broker `id` says; `directory` holds its data. */
export function propertiesOf({ ports, properties }: Cluster, id: number, directory: string): string {
  const own = ports.find((one) => one.id === id);
  if (own === undefined) throw new RangeError(`the cluster has no broker ${id}`);
  const replicas = ports.length;
  const inSync = replicas === 1 ? 1 : 2;
  const clients = [...own.clients];
  const at = (name: string, port: number) => `${name.toUpperCase()}://${HOST}:${port}`;
  const all: Record<string, string | number | boolean> = {
    "process.roles": "broker,controller",
    "node.id": id,
    "controller.quorum.voters": ports.map((one) => `${one.id}@${HOST}:${one.controller}`).join(","),
    listeners: [
      at("controller", own.controller),
      at("inside", own.inside),
      ...clients.map(([name, { port }]) => at(name, port)),
    ].join(","),
    "advertised.listeners": [
      at("inside", own.inside),
      ...clients.map(([name, { advertised }]) => at(name, advertised)),
    ].join(","),
    "listener.security.protocol.map": [
      "CONTROLLER:PLAINTEXT",
      "INSIDE:PLAINTEXT",
      ...clients.map(([name]) => `${name.toUpperCase()}:${PROTOCOLS[name]}`),
    ].join(","),
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INSIDE",
    "log.dirs": directory,
    "auto.create.topics.enable": false,
    "default.replication.factor": replicas,
    "min.insync.replicas": inSync,
    "offsets.topic.replication.factor": replicas,
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": inSync,
    "share.coordinator.state.topic.replication.factor": replicas,
    "share.coordinator.state.topic.min.isr": inSync,
    ...QUICK_FAILOVER,
    ...SMALL,
    ...properties,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
