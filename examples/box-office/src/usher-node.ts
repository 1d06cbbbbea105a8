// One node of Usher as a process of its own: `usher serve`, and when it is ready.

import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Child } from "./children.ts";

/** The program `usher`. */
export const usherProgram = resolve(import.meta.dirname, "../../../services/usher/src/main.ts");

/** How long a node may take to become ready, in milliseconds; 30,000, of which it needs one or two. */
const READY_MS = 30_000;

/** How long one question whether it is ready may take, in milliseconds. */
const ASK_MS = 1_000;

/** Of its gateway, its native gRPC listener and its metrics. */
export interface NodePorts {
  readonly http: number;
  readonly grpc: number;
  readonly metrics: number | "off";
}

export interface NodeSettings {
  readonly ports: NodePorts;
  /** What else `usher serve` is told. */
  readonly options: readonly string[];
  /** The file for what it prints; absent: only its complaints are seen, on standard error. */
  readonly output?: string;
}

export class UsherNode {
  readonly child: Child;
  readonly #port: number;
  readonly #output: string | undefined;

  /** Starts the process. It needs no API keys, and so serves this machine alone. */
  constructor({ ports, options, output }: NodeSettings) {
    const { http, grpc, metrics } = ports;
    const listen = ["--port", `${http}`, "--grpc-port", `${grpc}`, "--metrics-port", `${metrics}`];
    this.child = Child.spawn(usherProgram, ["serve", ...options, ...listen, "--demo"], output);
    this.#port = http;
    this.#output = output;
  }

  /** Where its gateway answers that it is ready; by address, so that no buyer has to look a name up. Rejects, and
   * leaves no process, when it does not. */
  async ready(): Promise<string> {
    let ended = false;
    void this.child.ended.then(() => {
      ended = true;
    });
    const until_ms = performance.now() + READY_MS;
    while (!ended && performance.now() < until_ms) {
      for (const host of ["127.0.0.1", "[::1]"]) {
        const url = `http://${host}:${this.#port}`;
        if (await isReady(`${url}/readyz`)) return url;
      }
      await sleep(50);
    }
    await this.child.kill();
    const words = this.#output === undefined ? "what it said is above" : `what it said is in ${this.#output}`;
    throw new Error(`Usher ${ended ? "has ended" : `is not ready after ${READY_MS / 1_000} s`}; ${words}`);
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ASK_MS) });
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}
