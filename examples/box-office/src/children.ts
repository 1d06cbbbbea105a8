// The processes of the demos. None outlives the one that started it.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** How long a process may take to end by itself after SIGTERM, in milliseconds; then it is killed. 15,000. */
const END_MS = 15_000;

const leash = join(import.meta.dirname, "leash.ts");

const living = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Child {
  readonly pid: number;
  readonly #process: ChildProcess;
  /** Resolves when the process is gone. */
  readonly ended: Promise<ChildEnd>;

  private constructor(child: ChildProcess) {
    // Without one it could not be started, and has ended.
    this.pid = child.pid ?? 0;
    this.#process = child;
    living.add(child);
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        living.delete(child);
        // Its last words may be on their way still.
        if (child.connected) child.once("disconnect", () => resolve({ code, signal }));
        else resolve({ code, signal });
      });
      child.once("error", () => {
        living.delete(child);
        resolve({ code: 1, signal: null });
      });
    });
  }

  /** One of our own programs, which talks to us in messages; its complaints go to our standard error. `execArgv`: for
   * Node itself. */
  static fork(
    program: string,
    options: readonly string[],
    heard: (message: unknown) => void,
    execArgv: readonly string[] = [],
  ): Child {
    const child = fork(program, options, {
      execArgv: [...execArgv],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    child.on("message", heard);
    return new Child(child);
  }

  /** Any program of Node's; what it prints goes to a file, behind what is there. Without one, its complaints go to our
   * standard error, and the rest nowhere. */
  static spawn(program: string, options: readonly string[], output?: string): Child {
    const command = ["--import", leash, program, ...options];
    if (output === undefined)
      return new Child(spawn(process.execPath, command, { stdio: ["ignore", "ignore", "inherit", "ipc"] }));
    const file = openSync(output, "a");
    const child = spawn(process.execPath, command, { stdio: ["ignore", file, file, "ipc"] });
    closeSync(file);
    return new Child(child);
  }

  /** Asks it to end, and leaves it to it when; asked again, a program of ours ends at once. */
  ask(): void {
    this.#process.kill("SIGTERM");
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
      throw new Error(`a process of the demo ended before it was ready (${signal ?? `code ${code}`})`);
    }),
  ]);
  return { child, message };
}

/** Ports are taken from these: below those that systems lend to outgoing connections (Linux from 32768), so that the
 * port of a program that was killed is not lent to one of its clients before it starts again; and below those of the
 * local Kafka. */
const PORTS = { from: 10_000, to: 20_000 } as const;

/** How many ports are tried for one that is free. */
const PORT_TRIES = 100;

/** A port of this machine that nobody has just now. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORT_TRIES; tries++) {
    const port = randomInt(PORTS.from, PORTS.to);
    if (!(await isTaken(port))) return port;
  }
  throw new Error(`no port from ${PORTS.from} to ${PORTS.to} is free`);
}

/** Whether somebody listens there, on either of localhost's addresses. */
export async function isTaken(port: number): Promise<boolean> {
  for (const host of ["127.0.0.1", "::1"]) {
    const server = createServer().listen({ port, host });
    const code = await once(server, "listening").then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (code === "EADDRINUSE") return true;
    server.close();
  }
  return false;
}
