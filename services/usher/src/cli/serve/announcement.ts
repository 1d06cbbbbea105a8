// What `usher serve` says of the node that it started.

import { relative, sep } from "node:path";
import type { Config, LogPlace } from "../../config/config.ts";
import { dataOf } from "../../config/load.ts";
import type { LiveQueue, Node } from "../../serve.ts";
import { settingText } from "../../settings-text.ts";

/** What the configuration says and does not mean what one may think; before anything is started. */
export function warnings({ trusted_proxies, log, nodes }: Config): string[] {
  const lines: string[] = [];
  if (trusted_proxies.some((block) => block.endsWith("/0")))
    lines.push("trusted_proxies has everybody in it (/0): whatever a client says of itself is believed");
  if (log.kind === "kafka" && log.sasl !== undefined && log.tls === undefined)
    lines.push(
      "kafka.sasl without kafka.tls: what goes to the brokers can be read on the way" +
        (log.sasl.mechanism === "plain" ? ", and so can the password" : ""),
    );
  if (log.kind === "kafka" && nodes === 1)
    lines.push(
      "nodes is 1, so this node takes all of each limit: before a second one is started on this log, set nodes: 2 on both (--nodes)",
    );
  return lines;
}

/** Where the node is to be found. */
export function places({ listen, log, keys, nodes }: Config, node: Node): string[] {
  const { host } = listen;
  const native = host.includes(":") ? `[${host}]:${node.grpc_port}` : `${host}:${node.grpc_port}`;
  const lines = [
    `gateway      ${node.url} (HTTP, Connect, gRPC-Web, gRPC)`,
    `native gRPC  ${native} (reflection, health)`,
  ];
  if (node.metrics !== undefined) lines.push(`metrics      ${node.metrics}`);
  lines.push(...logLines(log), `data         ${fromHere(dataOf(log))}, keys in ${fromHere(keys)}`);
  if (log.kind === "kafka") lines.push(`node         ${node.name}, ${shareText(nodes)}`);
  return lines;
}

function logLines(log: LogPlace): string[] {
  if (log.kind === "sqlite") return [];
  const { brokers, topics, tls, sasl } = log;
  const how = [
    ...(tls === undefined ? [] : ["TLS"]),
    ...(sasl === undefined ? [] : [`SASL as ${sasl.username}`]),
  ];
  const names = `topics ${topics}.queues, ${topics}.payloads`;
  return [`log          kafka://${brokers.join(",")} (${[names, ...how].join("; ")})`];
}

function shareText(nodes: number): string {
  return nodes === 1
    ? "the only one: it takes all of each limit"
    : `one of ${nodes}: it takes 1/${nodes} of each limit`;
}

/** How many queues are shown when the node starts; the others are in the file, and in `usher queue list`. */
const QUEUES_SHOWN = 5;

export function queueLines(queues: readonly LiveQueue[]): string[] {
  const lines = queues.slice(0, QUEUES_SHOWN).map(({ name, settings }) => {
    const { kind, mode, rate_thousandths, max_active } = settings;
    const limits = [
      ...(rate_thousandths === 0 ? [] : [`${settingText("rate_thousandths", settings)} a second`]),
      ...(max_active === 0 ? [] : [`${max_active} at once`]),
    ];
    return `queue        ${name} (${mode === "auto" ? kind : `${kind}, ${mode}`}): ${limits.join(", ")}`;
  });
  const more = queues.length - QUEUES_SHOWN;
  return more > 0 ? [...lines, `             and ${more} more`] : lines;
}

/** A path, short where it is below the working directory. */
function fromHere(path: string): string {
  const inside = relative(process.cwd(), path);
  return inside.startsWith("..") ? path : `.${sep}${inside}`;
}
