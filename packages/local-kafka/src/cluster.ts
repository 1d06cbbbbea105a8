// A cluster: its brokers, and how they come to be.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Broker } from "./broker.ts";
import { format } from "./format.ts";
import { Guardian } from "./guardian.ts";
import { freePorts } from "./ports.ts";
import { type Cluster, type Ports, propertiesOf } from "./settings.ts";

export interface KafkaOptions {
  /** 1 (the default): topics have one replica. 3: topics have three, and two must be in sync. */
  readonly brokers?: 1 | 3;
  /** More settings, or other ones, for every broker: as in server.properties. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** The heap of a broker, in MiB, by the number of brokers. */
const HEAP = { 1: 512, 3: 320 } as const;

export class KafkaCluster {
  /** Where clients begin: "127.0.0.1:port" of each broker. */
  readonly brokers: readonly string[];
  readonly members: readonly Broker[];
  readonly #guardian: Guardian;

  constructor(guardian: Guardian, members: readonly Broker[]) {
    this.#guardian = guardian;
    this.members = members;
    this.brokers = members.map(({ address }) => address);
  }

  /** The broker with this id; they count from 1. */
  broker(id: number): Broker {
    const broker = this.members[id - 1];
    if (broker === undefined) throw new RangeError(`the cluster has no broker ${id}`);
    return broker;
  }

  /** Kills what runs and removes the data. Resolves when all of it is gone. */
  close(): Promise<void> {
    return this.#guardian.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A new, empty cluster on this machine, which serves when this resolves; rejects with a `LocalKafkaError`. */
export async function startKafka({ brokers = 1, properties = {} }: KafkaOptions = {}): Promise<KafkaCluster> {
  const guardian = await Guardian.start();
  try {
    const cluster = { ports: await portsFor(brokers), properties };
    const members = await prepare(guardian, cluster, HEAP[brokers]);
    const ids = members.map(({ id }) => id);
    await Promise.all(members.map((member) => member.start(ids)));
    return new KafkaCluster(guardian, members);
  } catch (error) {
    await guardian.close();
    throw error;
  }
}

async function portsFor(brokers: number): Promise<Ports[]> {
  const free = await freePorts(3 * brokers);
  return Array.from({ length: brokers }, (_, index) => {
    const [controller = 0, inside = 0, port = 0] = free.slice(3 * index);
    return { id: index + 1, controller, inside, clients: new Map([["plain", { port, advertised: port }]]) };
  });
}

async function prepare(guardian: Guardian, cluster: Cluster, heap: number): Promise<Broker[]> {
  const brokers = cluster.ports.map((ports) => {
    const folder = join(guardian.directory, `broker-${ports.id}`);
    const files = { properties: `${folder}.properties`, data: folder, log: `${folder}.log` };
    return { ports, files };
  });
  for (const { ports, files } of brokers)
    await writeFile(files.properties, propertiesOf(cluster, ports.id, files.data));
  await format(
    guardian,
    brokers.map(({ ports, files }) => ({ id: ports.id, ...files })),
  );
  return brokers.map(({ ports, files }) => new Broker(guardian, ports, files, heap));
}
