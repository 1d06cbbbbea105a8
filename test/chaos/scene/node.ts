// A node: `usher serve` as a process, on ports and data that it keeps, to be killed, paused and started again.

import { eventually } from "../../support/eventually.ts";
import { Program } from "../../support/program.ts";
import type { Door } from "../load/doors.ts";
import type { NodeName } from "./cluster.ts";
import { watch } from "./watchdog.ts";

const MAIN = "services/usher/src/main.ts";

/** How long a node may take to become ready, in milliseconds; a minute: its log may have to come up first. */
const READY_MS = 60_000;

export interface NodeOptions {
  readonly name: NodeName;
  readonly ports: { readonly gateway: number; readonly native: number };
  /** Files: its configuration, the keys, and a folder of its own. */
  readonly config: string;
  readonly keys: string;
  readonly data: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where the source is that it runs; absent: here. */
  readonly root?: string;
}

export class UsherNode {
  readonly door: Door;
  readonly #options: NodeOptions;
  #program: Program | undefined;
  /** What earlier processes of it have said. */
  #said = "";
  #ending = false;
  readonly #ends: string[] = [];
  /** Of the watchdog, while it is paused. */
  #callOff: (() => void) | undefined;

  constructor(options: NodeOptions) {
    const { name, ports } = options;
    this.#options = options;
    this.door = {
      name,
      gatewayUrl: `http://127.0.0.1:${ports.gateway}`,
      nativeAddress: `127.0.0.1:${ports.native}`,
    };
  }

  get name(): NodeName {
    return this.#options.name;
  }

  /** The folder of what it keeps. */
  get data(): string {
    return this.#options.data;
  }

  /** All that it has said, through all its lives. */
  get output(): string {
    return this.#said + (this.#program?.output ?? "");
  }

  /** Ends of its process that nobody had asked for, in words. */
  get ends(): readonly string[] {
    return this.#ends;
  }

  /** Starts it; resolves at once. */
  launch(): void {
    const { name, ports, config, keys, data, env, root = "" } = this.#options;
    const flags = ["--config", config, "--keys", keys, "--data", data, "--node", name];
    flags.push("--host", "127.0.0.1", "--port", `${ports.gateway}`, "--grpc-port", `${ports.native}`);
    const program = new Program(`${root}${MAIN}`, ["serve", ...flags, "--metrics-port", "off"], { env });
    this.#program = program;
    this.#ending = false;
    void program.ended.then(({ code, signal }) => {
      this.#said += program.output;
      if (this.#program === program) this.#program = undefined;
      if (!this.#ending) this.#ends.push(`node ${name} ended by itself (${signal ?? `code ${code}`})`);
    });
  }

  /** Starts it, and resolves when it is ready. */
  async start(): Promise<void> {
    this.launch();
    await this.ready();
  }

  async ready(): Promise<void> {
    await eventually(async () => {
      const { status, text } = await this.readiness();
      if (status !== 200) throw new Error(`node ${this.name} is not ready: ${text}\n${this.output}`);
    }, READY_MS);
  }

  /** What `/readyz` answers. Rejects where nothing does. */
  async readiness(): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(`${this.door.gatewayUrl}/readyz`, { signal: AbortSignal.timeout(1_000) });
    return { status: answer.status, text: await answer.text() };
  }

  async kill(): Promise<void> {
    this.#ending = true;
    await this.#program?.stop("SIGKILL");
  }

  /** By SIGTERM: it lets what is under way end. */
  async stop(): Promise<void> {
    this.#ending = true;
    await this.#program?.stop("SIGTERM");
  }

  /** By SIGSTOP: its connections stay, and nobody answers. */
  pause(): void {
    const program = this.#program;
    if (program === undefined) return;
    this.#callOff ??= watch(program.pid);
    program.kill("SIGSTOP");
  }

  resume(): void {
    this.#program?.kill("SIGCONT");
    this.#callOff?.();
    this.#callOff = undefined;
  }
}
