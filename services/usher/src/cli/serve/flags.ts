// The flags of `usher serve`, and the configuration that they lead to.

import { SETTINGS_BOUNDS } from "@usher/queue";
import type { Command } from "commander";
import type { Config } from "../../config/config.ts";
import { loadConfig, type Overrides, parseConfig } from "../../config/load.ts";
import { type LogUrl, logUrl } from "../../config/log-url.ts";
import { host, isLoopback, origin } from "../../config/network.ts";
import { type Protection, protectionYaml } from "../../config/protect.ts";
import { duration, filePath, integer, nodeName, portOrOff, thousandths } from "../../config/readers.ts";
import { BOUNDS, LISTEN_DEFAULTS } from "../../config/schema.ts";
import { UsageError } from "../../failure.ts";
import type { Command as QueueCommand } from "../../reconcile.ts";
import { flag, numberFlag } from "../flags.ts";
import { type LogFormat, logFormat } from "./log.ts";

/** The file that is served where no flag names another. */
const CONFIG_FILE = "usher.yaml";

/** What a configuration made of flags is called. */
const FLAGS = "the flags";

export interface ServeFlags {
  readonly config?: string;
  readonly to?: string;
  readonly maxActive?: number;
  /** Thousandths a second. */
  readonly rate?: number;
  readonly hold?: number;
  readonly timeout?: number;
  readonly log?: LogUrl;
  readonly data?: string;
  readonly keys?: string;
  readonly node?: string;
  readonly nodes?: number;
  readonly host?: string;
  readonly port?: number;
  readonly grpcPort?: number;
  readonly metricsPort?: number | "off";
  readonly logFormat?: LogFormat;
  readonly drainDelay?: number;
  readonly grace?: number;
  readonly demo?: boolean;
  readonly apply?: boolean;
}

export function withServeFlags(command: Command): Command {
  const port = numberFlag(integer(...BOUNDS.port));
  return command
    .option("--config <file>", `the configuration (default: ${CONFIG_FILE}, unless --to is given)`)
    .option("--to <url>", "protect the app at this address, without a file", flag(origin))
    .option(
      "--max-active <n>",
      "with --to: requests that it takes at once",
      numberFlag(integer(...SETTINGS_BOUNDS.max_active)),
    )
    .option(
      "--rate <n>",
      "with --to: requests that it takes a second",
      numberFlag(thousandths(...SETTINGS_BOUNDS.rate_thousandths)),
    )
    .option(
      "--hold <duration>",
      "with --to: how long a waiting request is held open (default: 2s)",
      flag(duration(...BOUNDS.hold_ms)),
    )
    .option(
      "--timeout <duration>",
      "with --to: how long the app may take to answer (default: 30s)",
      flag(duration(...BOUNDS.timeout_ms)),
    )
    .option(
      "--log <url>",
      "where tickets are kept: sqlite:<dir> or kafka://<broker>,<broker> (default: sqlite:./data)",
      flag(logUrl),
    )
    .option(
      "--data <dir>",
      "what this node keeps on its disk: the embedded log, or copies of what a Kafka log stores (default: ./data)",
      flag(filePath),
    )
    .option("--keys <file>", "the file of keys (default: usher.keys.json beside the data)", flag(filePath))
    .option(
      "--node <name>",
      "this node's name in a Kafka log (default: the machine's, and the gateway's port)",
      flag(nodeName),
    )
    .option(
      "--nodes <n>",
      "among how many nodes of a Kafka log each limit is divided (default: 1)",
      numberFlag(integer(...BOUNDS.nodes)),
    )
    .option("--host <host>", `what to listen on (default: ${LISTEN_DEFAULTS.host})`, flag(host))
    .option("--port <n>", `the gateway's port (default: ${LISTEN_DEFAULTS.port}; 0: any free one)`, port)
    .option(
      "--grpc-port <n>",
      `the native gRPC port (default: ${LISTEN_DEFAULTS.grpc_port}; 0: any free one)`,
      port,
    )
    .option(
      "--metrics-port <n>",
      `the port of the metrics, on this machine only (default: ${LISTEN_DEFAULTS.metrics_port}, if free; off: none)`,
      numberFlag(portOrOff(...BOUNDS.port)),
    )
    .option(
      "--drain-delay <duration>",
      "when told to stop, how long it goes on but for its readiness, so that load balancers see it (default: 0s)",
      flag(duration(...BOUNDS.drain_delay_ms)),
    )
    .option(
      "--grace <duration>",
      "and how long what is under way may take then (default: 10s)",
      flag(duration(...BOUNDS.grace_ms)),
    )
    .option(
      "--log-format <format>",
      "what it says on standard error: text, or json, a line each (default: text, or USHER_LOG_FORMAT)",
      flag(logFormat),
    )
    .option("--demo", "no API keys needed; this machine only")
    .option("--apply", "change queues that exist to what the file says");
}

/** What is to be served. */
export interface Plan {
  readonly config: Config;
  readonly source: string;
  readonly command: QueueCommand;
  readonly demo: boolean;
  /** The file that the flags stand for; absent where there is a file. */
  readonly yaml: string | undefined;
}

/** Throws a `UsageError` for flags that do not go together, and a `ConfigError` for a file with mistakes. */
export async function planOf(flags: ServeFlags): Promise<Plan> {
  if (flags.log?.kind === "sqlite" && flags.data !== undefined)
    throw new UsageError(
      "--log sqlite:… and --data both say where the tickets are kept; leave one of the two out",
    );
  const plan = flags.to === undefined ? await planOfFile(flags) : planOfFlags({ ...flags, to: flags.to });
  const { host } = plan.config.listen;
  if (plan.demo && !isLoopback(host))
    throw new UsageError(
      `--demo lifts API keys, so it listens on this machine only, not on ${host}: leave one of the two out`,
    );
  return plan;
}

async function planOfFile(flags: ServeFlags): Promise<Plan> {
  for (const [name, value] of Object.entries({
    "--max-active": flags.maxActive,
    "--rate": flags.rate,
    "--hold": flags.hold,
    "--timeout": flags.timeout,
  }))
    if (value !== undefined)
      throw new UsageError(
        `${name} goes with --to; with a file, set it there (or in a running queue: usher queue set)`,
      );
  const source = flags.config ?? CONFIG_FILE;
  return {
    config: await loadConfig(source, overridesOf(flags)),
    source,
    command: flags.apply === true ? "all" : [],
    demo: flags.demo === true,
    yaml: undefined,
  };
}

function planOfFlags(flags: ServeFlags & { readonly to: string }): Plan {
  if (flags.config !== undefined)
    throw new UsageError("--to and --config exclude each other: --to stands for a file of its own");
  if (flags.maxActive === undefined && flags.rate === undefined)
    throw new UsageError(
      "--to needs to know how much the app takes: --max-active (requests at once), --rate (a second), or both",
    );
  const directory = process.cwd();
  const yaml = protectionYaml(protectionOf(flags), directory);
  return {
    config: parseConfig(yaml, { name: FLAGS, directory }),
    source: FLAGS,
    // The limit is what the flags are about; the rest of the file that they stand for is as good as unsaid.
    command: flags.apply === true ? "all" : ["rate_thousandths", "max_active"],
    demo: flags.demo === true,
    yaml,
  };
}

function protectionOf(flags: ServeFlags & { readonly to: string }): Protection {
  const { to, maxActive, rate, hold, timeout } = flags;
  return {
    ...overridesOf(flags),
    to,
    max_active: maxActive,
    rate_thousandths: rate,
    hold_ms: hold,
    timeout_ms: timeout,
  };
}

function overridesOf(flags: ServeFlags): Overrides {
  const { log, data, keys, node, nodes, host, port, grpcPort, metricsPort, drainDelay, grace } = flags;
  return {
    ...{ log, data, keys, node, nodes, host, port, grpc_port: grpcPort, metrics_port: metricsPort },
    ...{ drain_delay_ms: drainDelay, grace_ms: grace },
  };
}
