// From a file, or a text, to a `Config`: all of it right, or a `ConfigError` with every mistake.

import { dirname, resolve } from "node:path";
import { SETTINGS_DEFAULTS, type Settings, settingsProblems } from "@usher/queue";
import type { Config, Listen, LogPlace, QueueConfig, Route } from "./config.ts";
import { problemsOf } from "./fields.ts";
import type { LogUrl } from "./log-url.ts";
import { ConfigError, type Problem } from "./mistake.ts";
import { referenceProblems } from "./references.ts";
import { type File, type FileQueue, type FileRoute, schemaFor } from "./schema.ts";
import { parseSource, readSource, type Source } from "./source.ts";

/** What flags say in place of the file. Paths count from the working directory. */
export interface Overrides {
  readonly log?: LogUrl;
  /** What this node keeps on its disk: the embedded log, or a Kafka log's spool. */
  readonly data?: string;
  readonly keys?: string;
  readonly node?: string;
  readonly nodes?: number;
  readonly host?: string;
  readonly port?: number;
  readonly grpc_port?: number;
  readonly metrics_port?: number | "off";
  readonly drain_delay_ms?: number;
  readonly grace_ms?: number;
}

/** Reads a file. Paths in it count from its own directory, so that it means the same wherever Usher is started.
 * Throws a `ConfigError`. */
export async function loadConfig(path: string, overrides: Overrides = {}): Promise<Config> {
  const text = await readSource(path, "name one with --config, or protect an app without (--to)");
  return parseConfig(text, { name: path, directory: dirname(resolve(path)), overrides });
}

export interface Reading {
  /** What the text is called in messages. */
  readonly name: string;
  /** Paths in it count from here. */
  readonly directory: string;
  readonly overrides?: Overrides;
  /** The environment's variables; by default this process's own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Reads a text. Throws a `ConfigError`. */
export function parseConfig(
  text: string,
  { name, directory, overrides = {}, env = process.env }: Reading,
): Config {
  const source = parseSource(name, text);
  const shape = schemaFor({ directory, env }).safeParse(source.value);
  const problems: Problem[] = shape.success ? [] : problemsOf(shape.error);
  problems.push(...referenceProblems(source.value, overrides));
  if (shape.success && problems.length === 0) return configOf(shape.data, directory, overrides);
  throw configError(name, source, problems);
}

/** All the problems of a file, by their lines. */
export function configError(name: string, source: Source, problems: readonly Problem[]): ConfigError {
  const placed = problems.map((problem) =>
    problem.path.length === 0 ? problem : { ...problem, line: source.lineOf(problem.path) },
  );
  return new ConfigError(
    name,
    placed.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)),
  );
}

function configOf(file: File, directory: string, overrides: Overrides): Config {
  const log = logOf(file, directory, overrides);
  return {
    public_url: file.public_url,
    trusted_proxies: file.trusted_proxies,
    allowed_origins: file.allowed_origins,
    log,
    keys: keysPath(file.keys, directory, dataOf(log), overrides),
    node: overrides.node ?? file.node,
    nodes: overrides.nodes ?? file.nodes,
    listen: listenOf(file.listen, overrides),
    drain: {
      delay_ms: overrides.drain_delay_ms ?? file.drain.delay,
      grace_ms: overrides.grace_ms ?? file.drain.grace,
    },
    services: Object.entries(file.services).map(([name, { url }]) => ({ name, url })),
    queues: queueConfigs(file.queues),
    routes: file.routes.map(routeOf),
  };
}

function logOf(file: File, directory: string, { log, data }: Overrides): LogPlace {
  const place = log ?? file.log;
  if (place.kind === "sqlite") {
    const written = log === undefined ? resolve(directory, place.directory) : resolve(place.directory);
    return { kind: "sqlite", directory: data === undefined ? written : resolve(data) };
  }
  const { topics, replication, tls, sasl, spool } = file.kafka;
  const kept = data === undefined ? resolve(directory, spool.directory) : resolve(data);
  return {
    ...{ kind: "kafka", brokers: place.brokers, topics, replication, tls, sasl },
    spool: { directory: kept, bytes_max: spool.max_bytes },
  };
}

/** The directory in which this node keeps something, whatever the log. */
export function dataOf(log: LogPlace): string {
  return log.kind === "sqlite" ? log.directory : log.spool.directory;
}

function keysPath(keys: string | undefined, directory: string, data: string, overrides: Overrides): string {
  if (overrides.keys !== undefined) return resolve(overrides.keys);
  return keys === undefined ? resolve(data, "usher.keys.json") : resolve(directory, keys);
}

function listenOf(listen: File["listen"], { host, port, grpc_port, metrics_port }: Overrides): Listen {
  return {
    host: host ?? listen.host,
    port: port ?? listen.port,
    tls: listen.tls,
    grpc_port: grpc_port ?? listen.grpc_port,
    metrics_port: metrics_port ?? listen.metrics_port,
  };
}

export function queueConfigs(queues: File["queues"]): QueueConfig[] {
  return Object.entries(queues).map(([name, queue]) => ({
    name,
    settings: settingsOf(name, queue),
    unsaid: (["mode", "notice"] as const).filter((field) => queue[field] === undefined),
  }));
}

function settingsOf(name: string, queue: FileQueue): Settings {
  const settings: Settings = {
    kind: queue.kind,
    mode: queue.mode ?? SETTINGS_DEFAULTS.mode,
    rate_thousandths: queue.limit.rate_per_second,
    max_active: queue.limit.max_active,
    max_wait_ms: queue.max_wait,
    max_waiting: queue.max_waiting,
    session_ms: queue.session,
    key_retention_ms: queue.key_retention,
    attempts: queue.attempts,
    notice: queue.notice ?? SETTINGS_DEFAULTS.notice,
  };
  // The schema has the same bounds; a difference between the two is this program's mistake, not the user's.
  const problems = settingsProblems(settings);
  if (problems.length > 0) throw new Error(`queue ${name}: ${problems.join("; ")}`);
  return settings;
}

function routeOf(route: FileRoute): Route {
  const { match, store_headers, drop_headers } = route;
  return {
    ...match,
    service: route.service,
    queue: route.queue,
    max_wait_ms: route.max_wait,
    hold_ms: route.hold,
    timeout_ms: route.timeout,
    silence_ms: route.silence,
    upgrade: route.upgrade,
    idempotent: route.idempotent,
    body_bytes: route.body_bytes,
    response_bytes: route.response_bytes,
    stored_headers:
      store_headers !== undefined ? { only: store_headers } : drop_headers && { without: drop_headers },
  };
}
