// A reader of the log that has nothing to do with Usher: kcat, in a consumer group of its own, from the first record
// on, all the time.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "../scene/watchdog.ts";
import type { LogEntry } from "./entry.ts";
import { FORMAT, type Kcat, parse } from "./kcat.ts";

export class GroupReader {
  readonly entries: LogEntry[] = [];
  readonly #group: string;
  readonly #kcat: Kcat;
  readonly #process: ChildProcess;
  readonly #callOff: () => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(options: { kcat: Kcat; brokers: readonly string[]; topic: string; group: string }) {
    const { kcat, brokers, topic, group } = options;
    this.#kcat = kcat;
    this.#group = group;
    const args = ["-b", brokers.join(","), "-G", group, "-X", "auto.offset.reset=earliest"];
    this.#process = spawn("kcat", [...args, "-u", "-q", "-f", FORMAT, topic], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#callOff = watch(this.#process.pid ?? 0);
    this.#process.stdout?.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  /** The id of the broker that coordinates its group. */
  coordinator(): Promise<number> {
    return this.#kcat.coordinator(this.#group);
  }

  /** The offset after the last that it has read. */
  get next(): number {
    return this.entries.reduce((most, { offset }) => Math.max(most, offset + 1), 0);
  }

  async stop(): Promise<void> {
    this.#callOff();
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }

  #take(chunk: Buffer): void {
    const { entries, rest } = parse(Buffer.concat([this.#rest, chunk]));
    this.entries.push(...entries);
    this.#rest = rest;
  }
}
