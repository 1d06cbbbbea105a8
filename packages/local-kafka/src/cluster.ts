// A cluster that serves, as those who use it see it.

import type { Broker } from "./broker.ts";
import { LocalKafkaError } from "./errors.ts";
import type { Listener } from "./security.ts";

export class KafkaCluster {
  /** Where clients begin: "127.0.0.1:port" of each broker, without encryption or password. */
  readonly brokers: readonly string[];
  /** One each; none where KAFKA_BROKERS names the brokers. */
  readonly members: readonly Broker[];
  readonly #pem: string | undefined;
  readonly #end: () => Promise<void>;

  constructor(
    brokers: readonly string[],
    members: readonly Broker[] = [],
    pem?: string,
    end: () => Promise<void> = async () => {},
  ) {
    this.brokers = brokers;
    this.members = members;
    this.#pem = pem;
    this.#end = end;
  }

  /** The broker with this id; they count from 1. Throws a `LocalKafkaError` if it is not ours to kill. */
  broker(id: number): Broker {
    this.#mustBeOurs();
    const broker = this.members[id - 1];
    if (broker === undefined) throw new RangeError(`the cluster has no broker ${id}`);
    return broker;
  }

  /** As `brokers`, for clients that log in, encrypt, or both. Throws a `LocalKafkaError` if there is no such
   * listener. */
  at(listener: Listener): readonly string[] {
    if (listener === "plain") return this.brokers;
    this.#mustBeOurs();
    return this.members.map((member) => member.address(listener));
  }

  /** As `brokers`, but never through a proxy: for tools. */
  get inside(): readonly string[] {
    return this.members.length === 0 ? this.brokers : this.members.map(({ inside }) => inside);
  }

  /** What clients of the listeners with TLS are to trust, in PEM. Throws a `LocalKafkaError` without TLS. */
  get ca(): string {
    this.#mustBeOurs();
    if (this.#pem === undefined)
      throw new LocalKafkaError("this Kafka has no certificate; start it with tls: true");
    return this.#pem;
  }

  /** Kills what runs and removes the data. Resolves when all of it is gone. Brokers of KAFKA_BROKERS stay. */
  close(): Promise<void> {
    return this.#end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #mustBeOurs(): void {
    if (this.members.length === 0)
      throw new LocalKafkaError(
        "the brokers that KAFKA_BROKERS names cannot be configured, killed, paused or put behind proxies from here; unset it, and brokers are started for that",
      );
  }
}
