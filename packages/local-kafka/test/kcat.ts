// Debian's kcat, a client that is neither ours nor the adapter's, as the tests' witness.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { runTool } from "../src/index.ts";

const run = promisify(execFile);

/** How long kcat waits for brokers, in seconds; a busy machine takes a few. */
const WAIT_S = "20";

/** What kcat says; rejects if it fails. `settings`: librdkafka's. */
export async function kcat(
  broker: string,
  args: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<string> {
  const more = Object.entries(settings).flatMap(([name, value]) => ["-X", `${name}=${value}`]);
  return (await run("kcat", ["-b", broker, "-m", WAIT_S, ...args, ...more])).stdout;
}

export async function produce(broker: string, topic: string, record: string): Promise<void> {
  const child = run("kcat", ["-P", "-b", broker, "-t", topic, "-X", `message.timeout.ms=${WAIT_S}000`]);
  child.child.stdin?.end(record);
  await child;
}

/** Every record of the topic. */
export async function consume(broker: string, topic: string): Promise<string[]> {
  const said = await kcat(broker, ["-C", "-t", topic, "-o", "beginning", "-e", "-q"]);
  return said.split("\n").filter((line) => line !== "");
}

/** By Kafka's own tool, with as many replicas as the cluster makes by default. */
export async function createTopic(broker: string, topic: string): Promise<void> {
  const args = ["--bootstrap-server", broker, "--create", "--topic", topic];
  const { code, stderr } = await runTool("org.apache.kafka.tools.TopicCommand", args);
  if (code !== 0) throw new Error(`the topic was not made: ${stderr}`);
}
