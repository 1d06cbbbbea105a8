// kafkajs, set up: no words of its own, no retries of its own, and sockets that can be let go at once.
//
// Only its lower half is used: the `Cluster` that finds and connects brokers, and the `Broker` that speaks the
// protocol. It hands a cluster to a consumer's partition assigner, and there it is taken from. DESIGN.md says why.

import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Cluster, Kafka, type KafkaConfig, logLevel } from "kafkajs";
import type { KafkaLogOptions, KafkaTimings } from "./options.ts";

/** A cluster, with connections of its own. */
export interface Link {
  readonly cluster: Cluster;
  /** Cuts all its connections; whatever waits for an answer fails. */
  cut(): void;
}

export type ClientOptions = Pick<KafkaLogOptions, "brokers" | "node" | "tls" | "sasl"> & {
  readonly timings: KafkaTimings;
};

/** What brokers know each connection's owner by. */
export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get brokers(): readonly string[] {
    return this.#options.brokers;
  }

  get timings(): KafkaTimings {
    return this.#options.timings;
  }

  /** Connects when it is used. */
  link(brokers: readonly string[] = this.brokers): Link {
    const { kafka, cut } = this.kafka(brokers);
    return { cluster: clusterOf(kafka, this.timings), cut };
  }

  kafka(brokers: readonly string[] = this.brokers): { kafka: Kafka; cut: () => void } {
    const { node, tls, sasl, timings } = this.#options;
    const sockets = new Sockets();
    const kafka = new Kafka({
      brokers: [...brokers],
      clientId: `usher-${node}`,
      ssl: tls === true ? true : tls && { ...tls },
      ...(sasl && { sasl: { ...sasl } as KafkaConfig["sasl"] }),
      connectionTimeout: timings.connect_ms,
      authenticationTimeout: timings.connect_ms,
      requestTimeout: timings.request_ms,
      // As often as it takes to come round to each broker once.
      retry: { retries: Math.max(0, brokers.length - 1), initialRetryTime: 1, maxRetryTime: 10 },
      logLevel: logLevel.NOTHING,
      socketFactory: (wanted) => sockets.open(wanted),
    });
    return { kafka, cut: () => sockets.cut() };
  }
}

/** The sockets of one cluster. */
class Sockets {
  readonly #sockets = new Set<Socket>();
  #cut = false;

  open({ host, port, ssl, onConnect }: Wanted): Socket {
    if (this.#cut) throw new Error("the connection was given up");
    const socket = ssl
      ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
      : connectTcp({ host, port }, onConnect);
    socket.setKeepAlive(true, 60_000);
    socket.setNoDelay(true);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }

  /** With an error: kafkajs does not notice otherwise, and lets whatever waits run into its time-out. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy(new Error("the connection was given up"));
  }
}

type Wanted = Parameters<NonNullable<KafkaConfig["socketFactory"]>>[0];

function clusterOf(kafka: Kafka, { metadata_ms }: KafkaTimings): Cluster {
  let taken: Cluster | undefined;
  kafka.consumer({
    // It is never run, and so there never is a group.
    groupId: "none",
    allowAutoTopicCreation: false,
    readUncommitted: true,
    metadataMaxAge: metadata_ms,
    partitionAssigners: [
      ({ cluster }) => {
        taken = cluster;
        return {
          name: "none",
          version: 0,
          assign: async () => [],
          protocol: () => ({ name: "none", metadata: Buffer.alloc(0) }),
        };
      },
    ],
  });
  if (taken === undefined) throw new Error("kafkajs no longer hands its cluster to partition assigners");
  return taken;
}
