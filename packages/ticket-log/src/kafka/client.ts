// kafkajs, set up: no words of its own, no retries of its own, and sockets that can be let go at once.
//
// Only its lower half is used: the `Cluster` that finds and connects brokers, and the `Broker` that speaks the
// protocol. It hands a cluster to a consumer's partition assigner, and there it is taken from. DESIGN.md says why.

import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Admin, type Cluster, Kafka, type KafkaConfig, logLevel } from "kafkajs";
import { LogError } from "../log.ts";
import { type Login, unreachable } from "./errors.ts";
import { mendKafkajs } from "./mending.ts";
import type { KafkaLogOptions, KafkaTimings } from "./options.ts";

/** A way into the cluster, with connections of its own. */
export interface Link {
  readonly cluster: Cluster;
  readonly admin: Admin;
  /** Cuts all its connections; whatever waits for an answer fails. */
  cut(): void;
}

export type ClientOptions = Pick<KafkaLogOptions, "brokers" | "node" | "tls" | "sasl"> & {
  readonly timings: KafkaTimings;
};

export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get timings(): KafkaTimings {
    return this.#options.timings;
  }

  get login(): Login {
    const { brokers, tls, sasl } = this.#options;
    const certified = typeof tls === "object" && tls.cert !== undefined;
    const user = sasl?.username ?? (certified ? "<the subject of kafka.tls.cert>" : "ANONYMOUS");
    return { broker: brokers[0] ?? "", user };
  }

  /** A connected link, through whichever of the brokers answers first: one that is dead or paused holds up nobody.
   * Rejects with a `LogError` that says of each broker why not. */
  async reach(): Promise<Link> {
    const { brokers } = this.#options;
    const links = brokers.map((broker) => this.#link(broker));
    try {
      const first = await Promise.any(links.map(connected));
      for (const link of links) if (link !== first) link.cut();
      return first;
    } catch (error) {
      for (const link of links) link.cut();
      const reasons = error instanceof AggregateError ? error.errors : [error];
      throw unreachable(brokers.map((broker, index) => ({ broker, reason: reasons[index] })));
    }
  }

  #link(broker: string): Link {
    const { node, tls, sasl, timings } = this.#options;
    const sockets = new Sockets();
    const kafka = new Kafka({
      brokers: [withoutColons(broker)],
      clientId: `usher-${node}`,
      ssl: tls === true ? true : tls && { ...tls },
      ...(sasl && { sasl: { ...sasl } as KafkaConfig["sasl"] }),
      connectionTimeout: timings.connect_ms,
      authenticationTimeout: timings.connect_ms,
      requestTimeout: timings.request_ms,
      retry: { retries: 0 },
      logLevel: logLevel.NOTHING,
      socketFactory: (wanted) => sockets.open(wanted),
    });
    return { cluster: clusterOf(kafka, timings), admin: kafka.admin(), cut: () => sockets.cut() };
  }
}

/** kafkajs takes what is before the first colon for a broker's host, so an IPv6 address passes it without any. */
function withoutColons(broker: string): string {
  return broker.replace(/^\[.*\]/, (address) => address.replaceAll(":", "_"));
}

function withColons(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1).replaceAll("_", ":") : host;
}

async function connected(link: Link): Promise<Link> {
  await mendKafkajs(link.cluster);
  await link.cluster.connect();
  return link;
}

/** The sockets of one link. */
class Sockets {
  readonly #sockets = new Set<Socket>();
  #cut = false;

  open({ host: name, port, ssl, onConnect }: Wanted): Socket {
    if (this.#cut) throw new LogError("unavailable", "the connection was given up");
    const host = withColons(name);
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
