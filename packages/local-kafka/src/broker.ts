// One broker: a java process that can be killed, stopped, paused and started again on the same ports and data.

import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalKafkaError } from "./errors.ts";
import type { Ended, Guardian, Ward } from "./guardian.ts";
import { type Jvm, javaCommand } from "./java.ts";
import { HOST } from "./ports.ts";
import { brokersKnownAt } from "./probe.ts";
import type { TcpProxy } from "./proxy.ts";
import type { Listener } from "./security.ts";
import type { Ports } from "./settings.ts";

/** How long a broker may take to answer after its start, in milliseconds; one minute, of which it needs two seconds
 * on an idle machine, and five after a kill. */
const START_MS = 60_000;

/** How often a starting broker is asked, in milliseconds. */
const ASK_MS = 50;

/** How long a broker may take to stop when asked to, in milliseconds; then it is killed. Half a minute: without the
 * others it waits in vain for somebody to take over. */
const STOP_MS = 30_000;

/** How much of its log an error shows, in lines: of the first that tell what went wrong, or else of its end. */
const LOG_LINES = 20;
const WRONG = /^\[[^\]]*\] (?:ERROR|FATAL) |^Caused by: |^[\w.]+(?:Exception|Error)\b/;

export interface BrokerParts {
  readonly ports: Ports;
  /** Those before its listeners, if there are any. */
  readonly proxies: ReadonlyMap<Listener, TcpProxy>;
  /** The file of its settings. */
  readonly properties: string;
  /** The directory of its data. */
  readonly data: string;
  /** The file that its log is added to. */
  readonly log: string;
  readonly jvm: Jvm;
}

export class Broker {
  /** Its `node.id`; they count from 1. */
  readonly id: number;
  /** The file with all that it has said since its first start; gone when the cluster is closed. */
  readonly log: string;
  readonly #guardian: Guardian;
  readonly #parts: BrokerParts;
  #process: Ward | undefined;
  /** The length of the log before its last start, in bytes. */
  #logged = 0;

  constructor(guardian: Guardian, parts: BrokerParts) {
    this.id = parts.ports.id;
    this.log = parts.log;
    this.#guardian = guardian;
    this.#parts = parts;
  }

  /** Of its process; of the last one, if it does not run. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Whether there is a process; a paused one runs, too. */
  get running(): boolean {
    return this.#process?.running === true;
  }

  /** Resolves when its process is gone, for whatever reason. */
  get ended(): Promise<Ended> {
    if (this.#process === undefined) throw new LocalKafkaError(`Kafka broker ${this.id} was never started`);
    return this.#process.ended;
  }

  /** What clients are told, as "127.0.0.1:port": with proxies, the proxy's. Throws a `LocalKafkaError` if there is no
   * such listener. */
  address(listener: Listener = "plain"): string {
    const door = this.#parts.ports.clients.get(listener);
    if (door !== undefined) return `${HOST}:${door.advertised}`;
    throw new LocalKafkaError(
      `this Kafka has no listener "${listener}"; start it with saslUsers, tls, or both`,
    );
  }

  /** For what must never go through a proxy, as "127.0.0.1:port": nothing encrypted, nobody asked. */
  get inside(): string {
    return `${HOST}:${this.#parts.ports.inside}`;
  }

  /** The proxy before this listener. Throws a `LocalKafkaError` if there is none. */
  proxy(listener: Listener = "plain"): TcpProxy {
    const proxy = this.#parts.proxies.get(listener);
    if (proxy !== undefined) return proxy;
    throw new LocalKafkaError(`there is no proxy before "${listener}"; start Kafka with proxied: true`);
  }

  /** Starts it if it does not run, on the ports and data that it had. Resolves when it answers and knows all of `ids`
   * to be alive, by default itself; it needs a majority of the cluster for that. Rejects with a `LocalKafkaError` that
   * has what its log says went wrong. */
  async start(ids: readonly number[] = [this.id]): Promise<void> {
    const ward = this.#process?.running ? this.#process : await this.#launch();
    const deadline = Date.now() + START_MS;
    for (;;) {
      const known = await brokersKnownAt(this.#parts.ports.inside);
      if (ids.every((id) => known.includes(id))) return;
      if (!ward.running) throw await this.#failure("ended");
      if (Date.now() > deadline) throw await this.#failure(`does not serve after ${START_MS / 1000} seconds`);
      await sleep(ASK_MS);
    }
  }

  /** By SIGKILL. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#process?.signal("SIGKILL");
    await this.#process?.ended;
  }

  /** By SIGTERM: it hands its partitions over first. Resolves when the process is gone. */
  async stop(): Promise<void> {
    const ward = this.#process;
    ward?.signal("SIGTERM");
    ward?.signal("SIGCONT");
    const insist = setTimeout(() => ward?.signal("SIGKILL"), STOP_MS);
    await ward?.ended;
    clearTimeout(insist);
  }

  /** By SIGSTOP: its connections stay, and nobody answers. */
  pause(): void {
    this.#process?.signal("SIGSTOP");
  }

  resume(): void {
    this.#process?.signal("SIGCONT");
  }

  async #launch(): Promise<Ward> {
    const { properties, log, jvm } = this.#parts;
    const server = await javaCommand("kafka.Kafka", [properties], jvm);
    this.#logged = await stat(log).then(
      ({ size }) => size,
      () => 0,
    );
    const ward = await this.#guardian.run({ name: `broker ${this.id}`, ...server, out: log, err: log });
    this.#process = ward;
    return ward;
  }

  async #failure(what: string): Promise<LocalKafkaError> {
    const log = await readFile(this.log).catch(() => Buffer.from("(removed)"));
    const lines = log.subarray(this.#logged).toString().trimEnd().split("\n");
    const wrong = lines.filter((line) => WRONG.test(line));
    const shown = wrong.length > 0 ? wrong.slice(0, LOG_LINES) : lines.slice(-LOG_LINES);
    return new LocalKafkaError(`Kafka broker ${this.id} ${what}. From its log:\n${shown.join("\n")}`);
  }
}
