// Kafka's own measure of what a broker takes: the producer-performance tool, at records of the size of an issue.

import { type KafkaCluster, runTool } from "@usher/local-kafka";
import type { Measured } from "../issue/load.ts";

const RECORDS = 500_000;
/** Bytes of one record: about those of a ticket's issue in its envelope. */
const RECORD_BYTES = 80;

export async function producerPerformance({ inside }: KafkaCluster): Promise<Measured> {
  const topic = `bench-${Date.now()}`;
  const bootstrap = inside.join(",");
  await tool("org.apache.kafka.tools.TopicCommand", [
    ...["--bootstrap-server", bootstrap, "--create", "--topic", topic],
    ...["--partitions", "1", "--replication-factor", "1"],
  ]);
  const said = await tool("org.apache.kafka.tools.ProducerPerformance", [
    ...["--topic", topic, "--num-records", `${RECORDS}`, "--record-size", `${RECORD_BYTES}`],
    ...["--throughput", "-1", "--producer-props", `bootstrap.servers=${bootstrap}`, "acks=all"],
  ]);
  const last = said.trim().split("\n").at(-1) ?? "";
  const [rate, p50_ms, p99_ms] = [/([\d.]+) records\/sec/, /([\d.]+) ms 50th/, /([\d.]+) ms 99th/].map(
    (pattern) => Number(pattern.exec(last)?.[1]),
  );
  if (!rate) throw new Error(`no figure in:\n${said}`);
  return { rate, p50_ms, p99_ms };
}

async function tool(name: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runTool(name, args, { jvm: ["-XX:TieredStopAtLevel=4"] });
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr}${stdout}`);
  return stdout;
}
