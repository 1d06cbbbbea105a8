// Usher in front of the shop: `usher serve`, as processes of their own, on a fresh directory. One node with a log of its
// own; or as many as the shop has doors, on a Kafka.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePort } from "../children.ts";
import { makeKeys, type SharedLog, sharedLogYaml } from "../kafka.ts";
import { type NodeSettings, UsherNode } from "../usher-node.ts";
import type { Limit } from "./checker.ts";
import type { RunningTarget, Target } from "./target.ts";

const configPath = resolve(import.meta.dirname, "../../usher.yaml");

export interface UsherSettings {
  /** The shop's doors: one for each node, so that the shop can tell who sent what. */
  readonly shopUrls: readonly string[];
  /** For its data, its configuration and what it prints. */
  readonly directory: string;
  /** Declares the purchases idempotent, so that one may be sent again when its outcome is not known. */
  readonly idempotent: boolean;
  /** How long a node that is told to stop goes on but for its readiness, as `--drain-delay` has it. */
  readonly drainDelay?: string | undefined;
  /** The Kafka that the nodes share; undefined: one node, with a log of its own. */
  readonly brokers: readonly string[] | undefined;
}

/** The limit that the demo's configuration sets. */
export function configuredLimit(config = readFileSync(configPath, "utf8")): Limit {
  const [, rate] = /rate_per_second: (\d+)/.exec(config) ?? [];
  const [, active] = /max_active: (\d+)/.exec(config) ?? [];
  if (rate === undefined || active === undefined) throw new Error(`${configPath} sets no limit`);
  return { rate_per_second: Number(rate), max_active: Number(active) };
}

/** What of the demo's configuration is another than in the file. */
export interface ConfigChange {
  readonly shopUrl: string;
  readonly idempotent: boolean;
  /** Undefined: a log of its own. */
  readonly log?: SharedLog | undefined;
}

/** The demo's configuration, for this shop. */
export function configFor(
  { shopUrl, idempotent, log }: ConfigChange,
  config = readFileSync(configPath, "utf8"),
): string {
  // The service, and the origin of the page that is at the same address.
  const there = config.replaceAll("http://localhost:9000", shopUrl);
  const shared = log === undefined ? there : `${sharedLogYaml(log)}${there}`;
  return idempotent ? shared.replace("idempotent: false", "idempotent: true") : shared;
}

export class UsherTarget implements Target {
  readonly #settings: UsherSettings;

  constructor(settings: UsherSettings) {
    this.#settings = settings;
  }

  async start(): Promise<RunningTarget> {
    const nodes: { settings: NodeSettings; running: UsherNode }[] = [];
    const stop = async () => void (await Promise.all(nodes.map(({ running }) => running.child.stop())));
    const strike = async (): Promise<void> => {
      const [first, ...others] = nodes;
      if (first === undefined) return;
      await first.running.child.kill();
      if (others.length > 0) return;
      first.running = new UsherNode(first.settings);
      await first.running.ready();
    };
    const roll = async (): Promise<void> => {
      for (const [index, node] of nodes.entries()) {
        const { code, signal } = await node.running.child.stop();
        if (code !== 0)
          throw new Error(`node ${index + 1} did not end in order (${signal ?? `code ${code}`})`);
        node.running = new UsherNode(node.settings);
        await node.running.ready();
      }
    };
    try {
      if (this.#settings.brokers !== undefined) await this.#makeKeys();
      const urls: string[] = [];
      // One after the other: the first keeps time, and is the one that is struck.
      for (const index of this.#settings.shopUrls.keys()) {
        const settings = await this.#nodeSettings(index);
        const running = new UsherNode(settings);
        nodes.push({ settings, running });
        urls.push(await running.ready());
      }
      return { urls, strike, roll, stop };
    } catch (error) {
      await stop();
      throw error;
    }
  }

  get #keys(): string {
    return join(this.#settings.directory, "usher.keys.json");
  }

  async #makeKeys(): Promise<void> {
    const { directory } = this.#settings;
    mkdirSync(directory, { recursive: true });
    await makeKeys(this.#keys, join(directory, "keys.log"));
  }

  /** Of the node at this index: on ports that stay its own, with a folder of its own. */
  async #nodeSettings(index: number): Promise<NodeSettings> {
    const { directory, shopUrls, idempotent, drainDelay, brokers } = this.#settings;
    const name = `node-${index + 1}`;
    const folder = join(directory, name);
    mkdirSync(folder, { recursive: true });
    const config = join(folder, "usher.yaml");
    const log = brokers && { brokers, nodes: shopUrls.length };
    writeFileSync(config, configFor({ shopUrl: shopUrls[index] ?? "", idempotent, log }));
    const options = ["--config", config, "--data", join(folder, "data")];
    if (drainDelay !== undefined) options.push("--drain-delay", drainDelay);
    if (log !== undefined) options.push("--keys", this.#keys, "--node", name);
    return {
      ports: { http: await freePort(), grpc: await freePort(), metrics: "off" },
      options,
      output: join(folder, "usher.log"),
    };
  }
}
