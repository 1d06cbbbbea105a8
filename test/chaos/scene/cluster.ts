// The brokers of fault runs: three, each with a door for either node, and a proxy before each door. So one node can be
// cut off while the other is not; and one of the two logs in, as most do.

import { type Broker, type KafkaCluster, type Listener, startKafka, type TcpProxy } from "@usher/local-kafka";

const USER = "usher";
const PASSWORD = "chaos";

/** Where a node goes to reach the brokers. */
export const DOORS = { a: "plain", b: "sasl" } as const satisfies Record<string, Listener>;
export type NodeName = keyof typeof DOORS;

export function startCluster(): Promise<KafkaCluster> {
  return startKafka({ brokers: 3, proxied: true, saslUsers: { [USER]: PASSWORD } });
}

/** The lines of a node's configuration that lead to its log. */
export function logLines(cluster: KafkaCluster, node: NodeName, topics: string): string[] {
  const brokers = cluster.at(DOORS[node]).join(",");
  const sasl = DOORS[node] === "sasl" ? [`  sasl: { mechanism: scram-sha-512, username: ${USER} }`] : [];
  return [`log: kafka://${brokers}`, "kafka:", `  topics: ${topics}`, ...sasl];
}

/** The variables of the environment that go with them. */
export const ENVIRONMENT = { USHER_KAFKA_PASSWORD: PASSWORD };

/** Whatever was broken before: all brokers run, and can be reached. Resolves when each knows all. */
export async function heal({ members }: KafkaCluster): Promise<void> {
  for (const broker of members) {
    broker.resume();
    for (const proxy of proxiesOf(broker)) proxy.unblock();
  }
  const ids = members.map(({ id }) => id);
  await Promise.all(members.map((broker) => broker.start(ids)));
}

/** Those before a broker, for either node. */
export function proxiesOf(broker: Broker): TcpProxy[] {
  return Object.values(DOORS).map((listener) => broker.proxy(listener));
}
