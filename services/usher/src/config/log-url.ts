// Where the log is, in one line: `sqlite:./data`, or `kafka://b1:9092,b2:9092`.

import { isIPv4, isIPv6 } from "node:net";
import { Mistake, shown } from "./mistake.ts";
import { isHostName } from "./network.ts";
import { string } from "./readers.ts";

export type LogUrl =
  /** The directory as written. */
  | { readonly kind: "sqlite"; readonly directory: string }
  /** "host:port" each, in small letters, an IPv6 address in brackets. */
  | { readonly kind: "kafka"; readonly brokers: readonly string[] };

/** The port of a broker that is named without one. */
const BROKER_PORT = 9092;

/** Brokers that are named at most: they tell of all others. */
const BROKERS_MAX = 100;

const SQLITE = "sqlite: and a directory, such as sqlite:./data";
const KAFKA = "kafka:// and brokers, such as kafka://broker1:9092,broker2:9092";

export function logUrl(value: unknown): LogUrl {
  const text = string(value, `${SQLITE}, or ${KAFKA}`);
  const [, scheme, rest = ""] = /^(sqlite|kafka):(.*)$/is.exec(text) ?? [];
  switch (scheme?.toLowerCase()) {
    case "sqlite":
      return { kind: "sqlite", directory: directoryOf(text, rest) };
    case "kafka":
      return { kind: "kafka", brokers: brokersOf(text, rest) };
    default:
      throw new Mistake(`${shown(text)} is not a log; give ${SQLITE}, or ${KAFKA}`);
  }
}

/** The same as a line, for the file that flags stand for. */
export function logUrlText(log: LogUrl): string {
  return log.kind === "sqlite" ? `sqlite:${log.directory}` : `kafka://${log.brokers.join(",")}`;
}

function directoryOf(text: string, directory: string): string {
  if (directory === "" || directory.includes("\0"))
    throw new Mistake(`${shown(text)} names no directory; give ${SQLITE}`);
  // As a URL, the first part would be a host.
  if (/^\/\/[^/]/.test(directory))
    throw new Mistake(
      `${shown(text)} names a host; give ${SQLITE}, or sqlite:/var/lib/usher for an absolute one`,
    );
  return directory;
}

function brokersOf(text: string, rest: string): string[] {
  const list = /^\/\/([^/?#@]+)\/?$/.exec(rest)?.[1];
  if (rest.includes("@"))
    throw new Mistake(
      `has a user name or password in it; those go into kafka.sasl, with the password in a file; give ${KAFKA}`,
    );
  if (list === undefined) throw new Mistake(`${shown(text)} is no list of brokers; give ${KAFKA}`);
  const brokers = list.split(",").map((broker) => brokerOf(broker.trim()));
  const twice = brokers.find((broker, at) => brokers.indexOf(broker) < at);
  if (twice !== undefined) throw new Mistake(`names the broker ${twice} twice; name each once`);
  if (brokers.length > BROKERS_MAX)
    throw new Mistake(`names more than ${BROKERS_MAX} brokers; name a few, which tell of the others`);
  return brokers;
}

function brokerOf(text: string): string {
  const wanted = "a name or an address, and a port, such as broker1:9092 or [fd00::1]:9092";
  if (text === "")
    throw new Mistake(`has a broker without a name; give ${wanted} for each, with commas between`);
  if (isIPv6(text)) throw new Mistake(`${shown(text)} needs brackets; give [${text}]:${BROKER_PORT}`);
  const [, name = "", port = BROKER_PORT] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const bare = name.replace(/^\[(.*)\]$/, "$1");
  const known = bare === name ? isIPv4(name) || isHostName(name) : isIPv6(bare);
  if (!known) throw new Mistake(`${shown(text)} is not a broker; give ${wanted}`);
  if (Number(port) < 1 || Number(port) > 65_535)
    throw new Mistake(`${shown(text)} has a port that cannot be; give one from 1 to 65535`);
  return `${name.toLowerCase()}:${Number(port)}`;
}
