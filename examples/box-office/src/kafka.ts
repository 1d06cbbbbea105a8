// The demos' Kafka: a local one, started for the occasion, and what several nodes of Usher need to share it.

import { type KafkaCluster, startKafka } from "@usher/local-kafka";
import { Child } from "./children.ts";
import { OptionError } from "./options.ts";
import { usherProgram } from "./usher-node.ts";

/** A Kafka, and how many nodes keep their log in it. */
export interface SharedLog {
  /** "host:port" each. */
  readonly brokers: readonly string[];
  readonly nodes: number;
}

/** Starts a local Kafka, which ends with this process at the latest. */
export async function startDemoKafka(
  brokers: 1 | 3,
  screen: { write(text: string): unknown },
): Promise<KafkaCluster> {
  const size = brokers === 1 ? "one broker" : "three brokers";
  screen.write(`Starting a Kafka of ${size} on this machine (the first time, it is fetched: 54 MB) …\n`);
  return startKafka({ brokers });
}

/** The value of `--brokers`. */
export function brokersOption(text: string): 1 | 3 {
  if (text === "1") return 1;
  if (text === "3") return 3;
  throw new OptionError(`--brokers must be 1 or 3, not ${JSON.stringify(text)}`);
}

/** The lines of `usher.yaml` that put the log on this Kafka. As many copies as there are brokers. */
export function sharedLogYaml({ brokers, nodes }: SharedLog): string {
  const lines = [
    `log: kafka://${brokers.join(",")}`,
    `kafka: { replication: ${brokers.length} }`,
    `nodes: ${nodes}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Makes the keys that the nodes share, in a new file; what it says goes to the other file. */
export async function makeKeys(file: string, output: string): Promise<void> {
  const { code } = await Child.spawn(usherProgram, ["init", "--keys", file], output).ended;
  if (code !== 0) throw new Error(`usher init could not make ${file}; what it said is in ${output}`);
}
