// Programs of ours, run as a user runs them: a process of its own, which never outlives the test that started it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";

/** How long a program may take to say what is waited for, or to end when told to, in milliseconds; one minute: the
 * machine may be busy, and this bound is there to end a test that has failed. */
const WAIT_MS = 60_000;

/** What is kept of what a program says, in characters: its last part. */
const OUTPUT_KEPT = 1024 * 1024;

const leash = new URL("leash.ts", import.meta.url).href;
const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What runs it, as a command and its arguments: one that knows Node's `--import`. Default: this Node. */
  readonly runtime?: readonly [command: string, ...args: string[]];
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Program {
  readonly pid: number;
  /** Resolves when the process is gone and all that it said has been read. */
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #said = { out: "", err: "", both: "" };
  readonly #listeners = new Set<() => void>();
  #end: Ended | undefined;

  /** `file`: from the root of the checkout. */
  constructor(
    file: string,
    args: readonly string[] = [],
    { cwd, env, runtime = [process.execPath] }: ProgramOptions = {},
  ) {
    const path = resolve(import.meta.dirname, "../..", file);
    const [command, ...before] = runtime;
    this.#child = spawn(command, [...before, "--import", leash, path, ...args], {
      cwd,
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, NODE_OPTIONS: undefined, ...env },
      // The fourth is the leash: it ends with this process, however that ends.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.pid = this.#child.pid ?? 0;
    living.add(this.#child);
    this.#read("out");
    this.#read("err");
    this.ended = once(this.#child, "close").then(([code, signal]) => {
      living.delete(this.#child);
      this.#end = { code, signal };
      this.#tell();
      return this.#end;
    });
  }

  /** What it wrote to standard output so far. */
  get stdout(): string {
    return this.#said.out;
  }

  get stderr(): string {
    return this.#said.err;
  }

  /** Both, as they came. */
  get output(): string {
    return this.#said.both;
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#child.kill(signal);
  }

  /** Resolves with what the pattern finds in what is said; rejects if the program ends without having said it. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const found = pattern.exec(this.#said.both);
      if (found !== null) return found;
      if (this.#end !== undefined) throw this.#failure(`ended without saying ${pattern}`);
      if (deadline.aborted) throw this.#failure(`has not said ${pattern} within ${WAIT_MS} ms`);
      await this.#news(deadline);
    }
  }

  /** Asks it to end, and resolves when it has; insists, and rejects, if it does not. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
    if (this.#end !== undefined) return this.#end;
    this.kill(signal);
    const insist = setTimeout(() => this.kill("SIGKILL"), WAIT_MS);
    const end = await this.ended;
    clearTimeout(insist);
    if (end.signal === "SIGKILL" && signal !== "SIGKILL") throw this.#failure(`did not end by ${signal}`);
    return end;
  }

  #news(deadline: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#listeners.delete(done);
        deadline.removeEventListener("abort", done);
        resolve();
      };
      this.#listeners.add(done);
      deadline.addEventListener("abort", done);
    });
  }

  #read(stream: "out" | "err"): void {
    const source = stream === "out" ? this.#child.stdout : this.#child.stderr;
    source?.setEncoding("utf8").on("data", (text: string) => {
      this.#said[stream] = (this.#said[stream] + text).slice(-OUTPUT_KEPT);
      this.#said.both = (this.#said.both + text).slice(-OUTPUT_KEPT);
      this.#tell();
    });
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #failure(what: string): Error {
    return new Error(`the program ${what}; it said:\n${this.#said.both}`);
  }
}
