// The way to a topic's leader: what is given up is let go of, whenever it arrives.

import { type KafkaCluster, START_WAIT_MS, startKafka } from "@usher/local-kafka";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { Client, type Link } from "../src/kafka/client.ts";
import { Connection } from "../src/kafka/connection.ts";
import { KAFKA_TIMINGS } from "../src/kafka/options.ts";
import { Nodes } from "./kafka-nodes.ts";

let kafka: KafkaCluster;
let nodes: Nodes;

beforeAll(async () => {
  kafka = await startKafka();
  nodes = new Nodes({ brokers: kafka.brokers });
}, START_WAIT_MS);

afterEach(() => nodes?.close());
afterAll(() => kafka?.close());

/** Reaches the cluster as late as it is told to. */
class LateClient extends Client {
  /** One for each link that is wanted, in order. */
  readonly gates: PromiseWithResolvers<void>[] = [];
  readonly open = new Set<Link>();
  reached = 0;

  override async reach(): Promise<Link> {
    const gate = Promise.withResolvers<void>();
    this.gates.push(gate);
    await gate.promise;
    const { cluster, admin, cut } = await super.reach();
    const link: Link = {
      cluster,
      admin,
      cut: () => {
        this.open.delete(link);
        cut();
      },
    };
    this.open.add(link);
    this.reached++;
    return link;
  }
}

it("a link that is reached after it was given up is cut, whether there is another by then or not", async () => {
  await nodes.open();
  const timings = { ...KAFKA_TIMINGS, connect_ms: 200, request_ms: 200 };
  const client = new LateClient({ brokers: kafka.brokers, node: "late", timings });
  const connection = new Connection(client, nodes.queues);
  const late = () => expect(connection.leader()).rejects.toThrow("no answer within 400 ms");
  await late();
  client.gates[0]?.resolve();
  await late();
  await eventually(() => expect(client.reached).toBe(1));
  await eventually(() => expect(client.open.size).toBe(0));
  const leader = connection.leader();
  await eventually(() => expect(client.gates).toHaveLength(3));
  client.gates[2]?.resolve();
  await leader;
  client.gates[1]?.resolve();
  await eventually(() => expect(client.reached).toBe(3));
  await eventually(() => expect(client.open.size).toBe(1));
  expect((await connection.leader()).isConnected()).toBe(true);
  connection.close();
  expect(client.open.size).toBe(0);
});
