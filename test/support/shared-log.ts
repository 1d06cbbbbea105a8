// A log that several nodes share: a Kafka of its own, one file of keys, and a folder for what each node keeps.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KafkaCluster, type KafkaOptions, startKafka } from "@usher/local-kafka";
import { openKeys } from "@usher/replica";
import { startUsher, type Usher, type UsherOptions } from "./usher.ts";

export interface NodeOptions extends Pick<UsherOptions, "env"> {
  /** The part of an `usher.yaml` that is not about the log: services, queues, routes. */
  readonly config: string;
  /** What its topics' names begin with; default: `usher`, as the program has it. Others make another log. */
  readonly topics?: string;
  /** How many nodes there are, or are to be; default: 2. */
  readonly nodes?: number;
}

export class SharedLog implements AsyncDisposable {
  readonly kafka: KafkaCluster;
  /** The file of keys, which is there. */
  readonly keys: string;
  readonly #folder: string;
  readonly #nodes: Usher[] = [];

  /** One broker, if nothing else is wanted. */
  static async start(options?: KafkaOptions): Promise<SharedLog> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.adopt(await mkdtemp(join(tmpdir(), "usher-nodes-")), (path) =>
      rm(path, { recursive: true, force: true }),
    );
    const keys = join(folder, "keys.json");
    await openKeys({ file: keys, create: true });
    const log = new SharedLog(await startKafka(options), keys, folder);
    stack.move();
    return log;
  }

  private constructor(kafka: KafkaCluster, keys: string, folder: string) {
    this.kafka = kafka;
    this.keys = keys;
    this.#folder = folder;
  }

  /** Starts a node of that name, or starts it again with what it has kept; resolves when it is ready. It is stopped with
   * the log, at the latest. */
  async node(name: string, { config, topics = "usher", nodes = 2, env }: NodeOptions): Promise<Usher> {
    const node = await startUsher({
      data: join(this.#folder, `${topics}-${name}`),
      keys: this.keys,
      env,
      config: `
log: kafka://${this.kafka.brokers.join(",")}
kafka: { topics: ${topics}, replication: 1 }
node: ${name}
nodes: ${nodes}
${config}`,
    });
    this.#nodes.push(node);
    return node;
  }

  /** Stops its nodes, ends its Kafka, and removes what they have left. */
  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
    await this.kafka.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
