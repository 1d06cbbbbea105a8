// The topics: made when they are missing, and otherwise held to what Usher needs of them.

import kafkajs, { type Admin, type ITopicMetadata } from "kafkajs";
import { LogError } from "../log.ts";
import { errorOf, faultOf, type Login } from "./errors.ts";
import { inSyncMin, type TopicSettings } from "./settings.ts";

export interface TopicsOptions {
  readonly admin: Admin;
  /** How many replicas each topic is to have. */
  readonly replication: number;
  readonly login: Login;
}

export class Topics {
  readonly #admin: Admin;
  readonly #replication: number;
  readonly #login: Login;

  constructor({ admin, replication, login }: TopicsOptions) {
    this.#admin = admin;
    this.#replication = replication;
    this.#login = login;
  }

  /** Rejects with a `LogError`. */
  async exists(topic: string): Promise<boolean> {
    return (await this.#find(topic)) !== undefined;
  }

  /** No error when another node makes it at the same time. Rejects with a `LogError`. */
  async create({ topic, settings }: TopicSettings): Promise<void> {
    try {
      await this.#admin.createTopics({
        waitForLeaders: true,
        topics: [
          {
            topic,
            numPartitions: 1,
            replicationFactor: this.#replication,
            configEntries: settings.map(({ name, wanted }) => ({ name, value: wanted })),
          },
        ],
      });
    } catch (error) {
      throw creationError(error, topic, this.#replication, this.#login);
    }
  }

  /** Rejects with a `LogError` that names every setting that is not as it must be. */
  async check({ topic, settings }: TopicSettings): Promise<void> {
    const found = await this.#find(topic);
    if (found === undefined) throw new LogError("unavailable", `the topic ${topic} is not there yet`);
    const wrong = [...this.#wrongLayout(found), ...(await this.#wrongSettings(topic, settings))];
    if (wrong.length === 0) return;
    throw new LogError("misconfigured", `the topic ${topic} is not as Usher needs it:\n${wrong.join("\n")}`);
  }

  #wrongLayout({ name, partitions }: ITopicMetadata): string[] {
    const wrong: string[] = [];
    if (partitions.length !== 1) {
      wrong.push(
        `- it has ${partitions.length} partitions instead of 1, in which alone there is one order. Partitions cannot be ` +
          "taken away: name others (kafka.topics), or delete this one if nothing in it is needed",
      );
    }
    const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
    if (replicas < this.#replication) {
      wrong.push(
        `- it has a replication factor of ${replicas} instead of ${this.#replication}. Raise it with ` +
          `kafka-reassign-partitions.sh, or set kafka.replication to ${replicas}`,
      );
    }
    const inSync = inSyncMin(this.#replication);
    if (replicas < inSync)
      wrong.push(`- ${inSync} in-sync replicas are needed to write, and ${name} has ${replicas}`);
    return wrong;
  }

  async #wrongSettings(topic: string, settings: TopicSettings["settings"]): Promise<string[]> {
    const found = await this.#settingsOf(topic);
    return settings.flatMap(({ name, wanted, fits, reason }) => {
      const value = found.get(name);
      if (value === undefined || fits(value)) return [];
      return (
        `- ${name} is ${value} instead of ${wanted}: ${reason}. Mend it: ` +
        `kafka-configs.sh --bootstrap-server ${this.#login.broker} --alter --topic ${topic} --add-config ${name}=${wanted}`
      );
    });
  }

  async #find(topic: string): Promise<ITopicMetadata | undefined> {
    try {
      const { topics } = await this.#admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0];
    } catch (error) {
      if (faultOf(error).type === "UNKNOWN_TOPIC_OR_PARTITION") return undefined;
      throw errorOf(error, { login: this.#login, operation: "Describe", topic });
    }
  }

  async #settingsOf(topic: string): Promise<ReadonlyMap<string, string>> {
    try {
      const { resources } = await this.#admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
      });
      const entries = resources[0]?.configEntries ?? [];
      return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
    } catch (error) {
      throw errorOf(error, { login: this.#login, operation: "DescribeConfigs", topic });
    }
  }
}

function creationError(error: unknown, topic: string, replication: number, login: Login): LogError {
  if (faultOf(error).type !== "INVALID_REPLICATION_FACTOR")
    return errorOf(error, { login, operation: "Create", topic });
  return new LogError(
    "misconfigured",
    `the topic ${topic} cannot have ${replication} replicas: the cluster has fewer brokers. Start more, or set ` +
      "kafka.replication to the number that there are",
    { cause: error },
  );
}
