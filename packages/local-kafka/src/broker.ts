// One broker: a java process that can be killed, stopped, paused and started again on the same ports and data.

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalKafkaError } from "./errors.ts";
import type { Guardian, Ward } from "./guardian.ts";
import { javaCommand } from "./java.ts";
import { HOST } from "./ports.ts";
import { brokersKnownAt } from "./probe.ts";
import type { Ports } from "./settings.ts";

/** How long a broker may take to answer after its start, in milliseconds; one minute, of which it needs four seconds
 * on an idle machine. */
const START_MS = 60_000;

/** How often a starting broker is asked, in milliseconds. */
const ASK_MS = 50;

/** How long a broker may take to stop when asked to, in milliseconds; then it is killed. Half a minute: without the
 * other brokers it waits in vain for leave to go. */
const STOP_MS = 30_000;

/** How much of a log an error shows, in lines. */
const LOG_LINES = 20;

export interface BrokerFiles {
  /** Its server.properties. */
  readonly properties: string;
  /** Its directory of data. */
  readonly data: string;
  /** What it says. */
  readonly log: string;
}

export class Broker {
  /** From 1. */
  readonly id: number;
  /** What it says, as a file; added to at each start. */
  readonly log: string;
  readonly #guardian: Guardian;
  readonly #files: BrokerFiles;
  readonly #ports: Ports;
  readonly #heap: number;
  #process: Ward | undefined;

  /** `heap`: in MiB. */
  constructor(guardian: Guardian, ports: Ports, files: BrokerFiles, heap: number) {
    this.id = ports.id;
    this.log = files.log;
    this.#guardian = guardian;
    this.#ports = ports;
    this.#files = files;
    this.#heap = heap;
  }

  /** Of its process, or of its last one. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get running(): boolean {
    return this.#process?.running === true;
  }

  /** What clients are told, as "127.0.0.1:port". */
  get address(): string {
    return `${HOST}:${this.#ports.clients.get("plain")?.advertised}`;
  }

  /** For what must reach it without a proxy, such as tools. */
  get inside(): string {
    return `${HOST}:${this.#ports.inside}`;
  }

  /** Starts it, on the ports and data that it had. Resolves when it answers and knows the brokers `known`; by default
   * itself, which needs a majority of the cluster to run. Rejects with the end of its log. */
  async start(known: readonly number[] = [this.id]): Promise<void> {
    if (this.running) return;
    const { guardian, files } = { guardian: this.#guardian, files: this.#files };
    const jvm = { heap: this.#heap, level: "info", directory: guardian.directory } as const;
    const server = await javaCommand("kafka.Kafka", [files.properties], jvm);
    const ward = await guardian.run({ name: `broker ${this.id}`, ...server, out: files.log, err: files.log });
    this.#process = ward;
    const deadline = Date.now() + START_MS;
    for (;;) {
      const knows = await brokersKnownAt(this.#ports.inside);
      if (known.every((id) => knows.includes(id))) return;
      if (!ward.running) throw await this.#failure("ended");
      if (Date.now() > deadline)
        throw await this.#failure(`does not answer after ${START_MS / 1000} seconds`);
      await sleep(ASK_MS);
    }
  }

  /** By SIGKILL. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#process?.signal("SIGKILL");
    await this.#process?.ended;
  }

  /** By SIGTERM: it hands over its partitions first. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#process?.signal("SIGTERM");
    this.resume();
    const insist = setTimeout(() => this.#process?.signal("SIGKILL"), STOP_MS);
    await this.#process?.ended;
    clearTimeout(insist);
  }

  /** By SIGSTOP: connections stay open, nobody answers. */
  pause(): void {
    this.#process?.signal("SIGSTOP");
  }

  resume(): void {
    this.#process?.signal("SIGCONT");
  }

  async #failure(what: string): Promise<LocalKafkaError> {
    const lines = (await readFile(this.log, "utf8")).trimEnd().split("\n");
    return new LocalKafkaError(
      `Kafka broker ${this.id} ${what}; its log:\n${lines.slice(-LOG_LINES).join("\n")}`,
    );
  }
}
