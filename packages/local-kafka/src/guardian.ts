// The guardian: a process of its own that holds a directory and the processes that work in it, and ends both when this
// process goes, even by SIGKILL. This side of it; the other is guardian-program.ts.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalKafkaError } from "./errors.ts";

const PROGRAM = join(import.meta.dirname, "guardian-program.ts");

export interface Start {
  /** Names the process between the two sides; in use once at a time. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Files that its standard output and standard error are appended to. */
  readonly out: string;
  readonly err: string;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What the guardian tells. */
export type News =
  | { readonly what: "ready"; readonly directory: string }
  | { readonly what: "started"; readonly name: string; readonly pid: number }
  | { readonly what: "failed"; readonly name: string; readonly reason: string }
  | ({ readonly what: "ended"; readonly name: string } & Ended);

/** A process that the guardian started. */
export class Ward {
  readonly pid: number;
  /** Resolves when the process is gone. */
  readonly ended: Promise<Ended>;
  readonly #end = Promise.withResolvers<Ended>();
  #running = true;

  constructor(pid: number) {
    this.pid = pid;
    this.ended = this.#end.promise;
  }

  get running(): boolean {
    return this.#running;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#running) return;
    try {
      process.kill(this.pid, signal);
    } catch {
      // It has just ended; the news of it is on its way.
    }
  }

  gone({ code, signal }: Ended): void {
    this.#running = false;
    this.#end.resolve({ code, signal });
  }
}

export class Guardian {
  /** Made for this guardian, and removed with it. */
  readonly directory: string;
  readonly #process: ChildProcess;
  readonly #wards = new Map<string, Ward>();
  readonly #starting = new Map<string, PromiseWithResolvers<Ward>>();

  private constructor(guardian: ChildProcess, directory: string) {
    this.#process = guardian;
    this.directory = directory;
    guardian.on("message", (news: News) => this.#learn(news));
    guardian.on("exit", (code) => this.#lost(code === 0));
  }

  /** `folder`: where its directory is made; the system's for temporary files by default. */
  static async start(folder: string = tmpdir()): Promise<Guardian> {
    const guardian = spawn(process.execPath, [PROGRAM, folder], {
      // A group of its own: a Ctrl-C or a kill of this process's group must not hit it before it has cleaned up.
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { ...process.env, NODE_OPTIONS: undefined },
    });
    const news = await Promise.race([
      once(guardian, "message").then(([first]: News[]) => first),
      once(guardian, "exit").then(() => undefined),
    ]);
    if (news?.what !== "ready")
      throw new LocalKafkaError(`${folder} must be a folder that can be written to`);
    return new Guardian(guardian, news.directory);
  }

  /** Rejects with a `LocalKafkaError` if the program cannot be started. */
  run(start: Start): Promise<Ward> {
    const starting = Promise.withResolvers<Ward>();
    this.#starting.set(start.name, starting);
    this.#process.send(start, (error) => {
      if (error !== null) starting.reject(gone());
    });
    return starting.promise;
  }

  /** Kills what still runs, removes the directory, and resolves when all of it is gone. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    if (this.#process.connected) this.#process.disconnect();
    await gone;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #learn(news: News): void {
    if (news.what === "started") {
      const ward = new Ward(news.pid);
      this.#wards.set(news.name, ward);
      this.#starting.get(news.name)?.resolve(ward);
    }
    if (news.what === "failed") this.#starting.get(news.name)?.reject(new LocalKafkaError(news.reason));
    if (news.what === "ended") {
      this.#wards.get(news.name)?.gone(news);
      this.#wards.delete(news.name);
    }
    if (news.what === "started" || news.what === "failed") this.#starting.delete(news.name);
  }

  /** It has ended: as asked, having cleaned up; or killed, and then the cleaning up is ours. Only then: the ids of
   * processes that are gone may be others' by now. */
  #lost(cleaned: boolean): void {
    for (const ward of this.#wards.values()) {
      if (!cleaned) ward.signal("SIGKILL");
      ward.gone({ code: null, signal: "SIGKILL" });
    }
    this.#wards.clear();
    rmSync(this.directory, { recursive: true, force: true });
    for (const { reject } of this.#starting.values()) reject(gone());
    this.#starting.clear();
  }
}

function gone(): LocalKafkaError {
  return new LocalKafkaError("Kafka has been closed, or its guardian was killed; start another");
}
