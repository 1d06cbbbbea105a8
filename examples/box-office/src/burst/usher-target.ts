// Usher in front of the shop: `usher serve`, as a process of its own, on a fresh directory.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Limit } from "./checker.ts";
import { Child, freePort } from "./children.ts";
import type { RunningTarget, Target } from "./target.ts";

const program = resolve(import.meta.dirname, "../../../../services/usher/src/main.ts");
const configPath = resolve(import.meta.dirname, "../../usher.yaml");

/** How long Usher may take to become ready, in milliseconds; 30,000. */
const READY_MS = 30_000;

/** How long one question whether it is ready may take, in milliseconds. */
const ASK_MS = 1_000;

export interface UsherSettings {
  readonly shopUrl: string;
  /** For its data, its configuration and what it prints. */
  readonly directory: string;
  /** Declares the purchases idempotent, so that one may be sent again when its outcome is not known. */
  readonly idempotent: boolean;
}

/** The limit that the demo's configuration sets. */
export function configuredLimit(config = readFileSync(configPath, "utf8")): Limit {
  const [, rate] = /rate_per_second: (\d+)/.exec(config) ?? [];
  const [, active] = /max_active: (\d+)/.exec(config) ?? [];
  if (rate === undefined || active === undefined) throw new Error(`${configPath} sets no limit`);
  return { rate_per_second: Number(rate), max_active: Number(active) };
}

/** The demo's configuration, for this shop. */
export function configFor(
  { shopUrl, idempotent }: Pick<UsherSettings, "shopUrl" | "idempotent">,
  config = readFileSync(configPath, "utf8"),
): string {
  const changed = config.replace("http://localhost:9000", shopUrl);
  return idempotent ? changed.replace("idempotent: false", "idempotent: true") : changed;
}

export class UsherTarget implements Target {
  readonly #settings: UsherSettings;
  #ports: { readonly http: number; readonly grpc: number } | undefined;

  constructor(settings: UsherSettings) {
    this.#settings = settings;
  }

  async start(): Promise<RunningTarget> {
    const { directory } = this.#settings;
    this.#ports ??= { http: await freePort(), grpc: await freePort() };
    mkdirSync(directory, { recursive: true });
    const config = join(directory, "usher.yaml");
    writeFileSync(config, configFor(this.#settings));
    const output = join(directory, "usher.log");
    const { http, grpc } = this.#ports;
    const data = join(directory, "data");
    const options = [
      "--config",
      config,
      "--data",
      data,
      "--port",
      `${http}`,
      "--grpc-port",
      `${grpc}`,
      "--demo",
    ];
    const child = Child.spawn(program, ["serve", ...options], output);
    const url = await readyUrl(http, child, output);
    return { url, kill: () => child.kill(), stop: async () => void (await child.stop()) };
  }
}

/** Where it answers that it is ready. By address, so that no buyer has to look a name up. */
async function readyUrl(port: number, child: Child, output: string): Promise<string> {
  let ended = false;
  void child.ended.then(() => {
    ended = true;
  });
  const until_ms = performance.now() + READY_MS;
  while (!ended && performance.now() < until_ms) {
    for (const host of ["127.0.0.1", "[::1]"]) {
      const url = `http://${host}:${port}`;
      if (await isReady(`${url}/readyz`)) return url;
    }
    await sleep(50);
  }
  await child.kill();
  throw new Error(`Usher ${ended ? "ended" : "is not ready after 30 s"}; what it said is in ${output}`);
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
