// A configuration made of flags: `--to http://localhost:3000 --max-active 20` stands for a file with one service, one
// queue and one route, and this writes that file. What is served is that very text, so whoever saves it and serves it
// has the same.

import { isAbsolute, relative } from "node:path";
import { stringify } from "yaml";
import { formatDuration } from "./duration.ts";
import { DATA_DEFAULT } from "./kafka-schema.ts";
import type { Overrides } from "./load.ts";
import { logUrlText } from "./log-url.ts";
import { LISTEN_DEFAULTS, ROUTE_DEFAULTS } from "./schema.ts";

/** The names that a file made of flags uses. */
export const PROTECTED = { service: "app", queue: "default" } as const;

/** How long a request may wait, where nobody says: longer than a burst lasts, shorter than its sender remembers. */
const MAX_WAIT = "30m";

export interface Protection extends Overrides {
  /** The origin of the app. */
  readonly to: string;
  /** At least one of the two. */
  readonly max_active?: number;
  readonly rate_thousandths?: number;
  readonly hold_ms?: number;
  readonly timeout_ms?: number;
}

export function protectionYaml(flags: Protection, workingDirectory: string): string {
  const path = (path: string): string => fromHere(path, workingDirectory);
  const limit = [
    flags.rate_thousandths === undefined ? [] : `rate_per_second: ${flags.rate_thousandths / 1_000}`,
    flags.max_active === undefined ? [] : `max_active: ${flags.max_active}`,
  ].flat();
  return [
    ...logLines(flags, path),
    ...(flags.keys === undefined ? [] : [`keys: ${scalar(path(flags.keys))}`]),
    ...(flags.node === undefined ? [] : [`node: ${scalar(flags.node)}`]),
    ...(flags.nodes === undefined ? [] : [`nodes: ${flags.nodes}`]),
    "listen:",
    `  host: ${scalar(flags.host ?? LISTEN_DEFAULTS.host)}`,
    `  port: ${flags.port ?? LISTEN_DEFAULTS.port}`,
    `  grpc_port: ${flags.grpc_port ?? LISTEN_DEFAULTS.grpc_port}`,
    ...(flags.metrics_port === undefined ? [] : [`  metrics_port: ${flags.metrics_port}`]),
    ...drainLines(flags),
    "services:",
    `  ${PROTECTED.service}:`,
    `    url: ${scalar(flags.to)}`,
    "queues:",
    `  ${PROTECTED.queue}:`,
    "    kind: defer",
    `    limit: { ${limit.join(", ")} }`,
    `    max_wait: ${MAX_WAIT}`,
    "routes:",
    "  - match: /*",
    `    service: ${PROTECTED.service}`,
    `    queue: ${PROTECTED.queue}`,
    `    hold: ${formatDuration(flags.hold_ms ?? ROUTE_DEFAULTS.hold_ms)}`,
    `    timeout: ${formatDuration(flags.timeout_ms ?? ROUTE_DEFAULTS.timeout_ms)}`,
    "",
  ].join("\n");
}

function drainLines({ drain_delay_ms, grace_ms }: Protection): string[] {
  const lines = [
    drain_delay_ms === undefined ? [] : `  delay: ${formatDuration(drain_delay_ms)}`,
    grace_ms === undefined ? [] : `  grace: ${formatDuration(grace_ms)}`,
  ].flat();
  return lines.length === 0 ? [] : ["drain:", ...lines];
}

function logLines({ log, data }: Protection, path: (path: string) => string): string[] {
  if (log?.kind !== "kafka") {
    const directory = data ?? log?.directory ?? DATA_DEFAULT;
    return [`log: ${scalar(logUrlText({ kind: "sqlite", directory: path(directory) }))}`];
  }
  const spool = data === undefined ? [] : ["kafka:", "  spool:", `    directory: ${scalar(path(data))}`];
  return [`log: ${scalar(logUrlText(log))}`, ...spool];
}

/** `./data`, for what is in the working directory; the whole path, for what is elsewhere. */
function fromHere(path: string, workingDirectory: string): string {
  if (!isAbsolute(path)) return path.startsWith(".") ? path : `./${path}`;
  const inside = relative(workingDirectory, path);
  return inside === "" || inside.startsWith("..") ? path : `./${inside}`;
}

/** In quotes where YAML would read something else into it. */
function scalar(text: string): string {
  return stringify(text, { lineWidth: 0 }).trimEnd();
}
