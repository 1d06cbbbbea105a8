// The processes of a burst. None outlives the one that started it.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer } from "node:net";

/** How long a process may take to end by itself after SIGTERM, in milliseconds; then it is killed. 15,000. */
const END_MS = 15_000;

const living = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Child {
  readonly #process: ChildProcess;
  /** Resolves when the process is gone. */
  readonly ended: Promise<ChildEnd>;

  private constructor(child: ChildProcess) {
    this.#process = child;
    living.add(child);
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        living.delete(child);
        resolve({ code, signal });
      });
      child.once("error", () => {
        living.delete(child);
        resolve({ code: 1, signal: null });
      });
    });
  }

  /** One of our own programs, which talks to us in messages; its complaints go to our standard error. */
  static fork(program: string, options: readonly string[], heard: (message: unknown) => void): Child {
    const child = fork(program, options, { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
    child.on("message", heard);
    return new Child(child);
  }

  /** Any program of Node's; what it prints goes to a file, behind what is there. */
  static spawn(program: string, options: readonly string[], output: string): Child {
    const file = openSync(output, "a");
    const child = spawn(process.execPath, [program, ...options], { stdio: ["ignore", file, file] });
    closeSync(file);
    return new Child(child);
  }

  /** Kills it at once, as a power cut would. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.ended;
  }

  /** Asks it to end, and insists after a while. */
  async stop(): Promise<ChildEnd> {
    this.#process.kill("SIGTERM");
    const insist = setTimeout(() => this.#process.kill("SIGKILL"), END_MS);
    const end = await this.ended;
    clearTimeout(insist);
    return end;
  }
}

/** The first message of that kind from a child that may end before it comes. */
export async function startAndHear(
  start: (heard: (message: unknown) => void) => Child,
  kind: string,
): Promise<{ child: Child; message: Record<string, unknown> }> {
  const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
  const child = start((message) => {
    const fields: Record<string, unknown> = { ...(message as object) };
    if (fields.kind === kind) resolve(fields);
  });
  const message = await Promise.race([
    promise,
    child.ended.then(({ code, signal }) => {
      throw new Error(`a process of the burst ended before it was ready (${signal ?? `code ${code}`})`);
    }),
  ]);
  return { child, message };
}

/** A port of this machine that nobody has just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "localhost");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port could be had");
  return address.port;
}
