// The contract suite on a real Kafka.

import { type KafkaCluster, startKafka } from "@usher/local-kafka";
import { afterAll, beforeAll } from "vitest";
import { describeTicketLog } from "./contract.ts";
import { kafkaHarness } from "./kafka-harness.ts";

let kafka: KafkaCluster;

beforeAll(async () => {
  kafka = await startKafka();
});

afterAll(() => kafka?.close());

describeTicketLog(
  "Kafka",
  kafkaHarness(() => kafka.brokers),
);
