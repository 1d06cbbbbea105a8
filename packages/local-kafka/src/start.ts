// How a cluster comes to be: ports, proxies, settings, data directories, processes; or those of KAFKA_BROKERS.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Broker, type BrokerParts } from "./broker.ts";
import { makeCertificate } from "./certificate.ts";
import { KafkaCluster } from "./cluster.ts";
import { LocalKafkaError } from "./errors.ts";
import { format } from "./format.ts";
import { Guardian } from "./guardian.ts";
import { writeLogging } from "./java.ts";
import { freePorts, isFree } from "./ports.ts";
import { TcpProxy } from "./proxy.ts";
import { checkSecurity, type Listener, listenersOf, type Security, scramArguments } from "./security.ts";
import { type Door, type Ports, propertiesOf } from "./settings.ts";

export interface KafkaOptions {
  /** 1, the default: a topic has one replica. 3: it has three, and a write needs two. */
  readonly brokers?: 1 | 3;
  /** The port of the first broker's plain listener; the others' follow it. By default they are any. */
  readonly port?: number;
  /** Name to password of those who may log in, by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512: letters, digits and ". _ -".
   * Adds the listener `sasl`. */
  readonly saslUsers?: Readonly<Record<string, string>>;
  /** Adds the listener `tls`, and with `saslUsers` the listener `sasl_tls`. False. */
  readonly tls?: boolean;
  /** Whether those who log in may do only what ACLs allow them: nothing, at first. All others may do everything, so
   * that somebody can write the ACLs. False. */
  readonly acl?: boolean;
  /** Puts a `TcpProxy` before each listener of each broker, and tells clients its address. False. */
  readonly proxied?: boolean;
  /** Where the directory with all data and logs is made, and removed in the end; the system's folder for temporary
   * files. For a disk that fills, name a small one. */
  readonly folder?: string;
  /** More settings, or other ones, for every broker: as in server.properties. */
  readonly properties?: Readonly<Record<string, string>>;
  /** More flags for every broker's JVM. "-XX:TieredStopAtLevel=4" for one that is measured: by default it starts
   * sooner and runs slower. */
  readonly jvm?: readonly string[];
}

/** The heap of a broker, in MiB, by the number of brokers. */
const HEAP = { 1: 512, 3: 320 } as const;

/** How often brokers are started anew where somebody else took one of their ports in the meantime. */
const ATTEMPTS = 3;
const TAKEN = "Address already in use";

/** A new, empty cluster on this machine, which serves when this resolves. If KAFKA_BROKERS names brokers
 * ("host:port,host:port"), nothing is started, and those are meant. Rejects with a `LocalKafkaError`. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const { saslUsers = {}, acl = false } = options;
  checkSecurity(saslUsers, acl);
  const given = process.env.KAFKA_BROKERS;
  if (given) return useGiven(given.split(","), options);
  for (let attempt = 1; ; attempt++)
    try {
      return await launch(options);
    } catch (error) {
      const taken = error instanceof LocalKafkaError && error.message.includes(TAKEN);
      if (!taken || attempt === ATTEMPTS) throw error;
    }
}

function useGiven(brokers: readonly string[], { properties, ...options }: KafkaOptions): KafkaCluster {
  const cluster = new KafkaCluster(brokers.map((broker) => broker.trim()));
  const asked = [options.saslUsers, options.tls, options.acl, options.proxied, properties];
  // Says why not.
  if (asked.some((option) => option !== undefined && option !== false)) cluster.broker(1);
  return cluster;
}

async function launch(options: KafkaOptions): Promise<KafkaCluster> {
  await using stack = new AsyncDisposableStack();
  const guardian = stack.use(await Guardian.start(options.folder));
  const certificate = options.tls ? await makeCertificate(guardian) : undefined;
  const security = { saslUsers: options.saslUsers ?? {}, certificate, acl: options.acl ?? false };
  const plans = await planPorts(options, listenersOf(security));
  const proxies = options.proxied ? await openProxies(plans, stack) : plans.map(() => new Map());
  const members = await prepare(guardian, options, security, plans, proxies);
  const ids = members.map(({ id }) => id);
  await Promise.all(members.map((member) => member.start(ids)));
  const owned = stack.move();
  const addresses = members.map((member) => member.address());
  return new KafkaCluster(addresses, members, certificate?.pem, () => owned.disposeAsync());
}

type Plan = Omit<Ports, "clients"> & { readonly doors: ReadonlyMap<Listener, number> };

async function planPorts(
  { brokers = 1, port }: KafkaOptions,
  listeners: readonly Listener[],
): Promise<Plan[]> {
  const each = 2 + listeners.length;
  const free = await freePorts(each * brokers);
  const plans = Array.from({ length: brokers }, (_, index) => {
    const [controller = 0, inside = 0, ...others] = free.slice(each * index);
    const doors = new Map(listeners.map((listener, at) => [listener, others[at] ?? 0]));
    if (port !== undefined) doors.set("plain", port + index);
    return { id: index + 1, controller, inside, doors };
  });
  for (const { id, doors } of port === undefined ? [] : plans) {
    const wanted = doors.get("plain") ?? 0;
    if (!(await isFree(wanted)))
      throw new LocalKafkaError(`port ${wanted}, meant for Kafka broker ${id}, is in use; name another`);
  }
  return plans;
}

async function openProxies(
  plans: readonly Plan[],
  stack: AsyncDisposableStack,
): Promise<Map<Listener, TcpProxy>[]> {
  const all: Map<Listener, TcpProxy>[] = [];
  for (const { doors } of plans) {
    const own = new Map<Listener, TcpProxy>();
    for (const [listener, port] of doors) own.set(listener, stack.use(await TcpProxy.to(port)));
    all.push(own);
  }
  return all;
}

async function prepare(
  guardian: Guardian,
  { brokers = 1, properties = {}, jvm = [] }: KafkaOptions,
  security: Security,
  plans: readonly Plan[],
  proxies: readonly ReadonlyMap<Listener, TcpProxy>[],
): Promise<Broker[]> {
  const logging = await writeLogging(guardian.directory, "info");
  const parts = plans.map(({ doors, ...plan }, index): BrokerParts => {
    const own = proxies[index] ?? new Map<Listener, TcpProxy>();
    const file = join(guardian.directory, `broker-${plan.id}`);
    return {
      ports: { ...plan, clients: new Map([...doors].map((door) => behind(door, own))) },
      proxies: own,
      properties: `${file}.properties`,
      data: file,
      log: `${file}.log`,
      jvm: { heap: HEAP[brokers], logging, flags: jvm },
    };
  });
  const settings = { ports: parts.map(({ ports }) => ports), security, properties };
  for (const { ports, properties: file, data } of parts)
    await writeFile(file, propertiesOf(settings, ports.id, data), { mode: 0o600 });
  const made = parts.map(({ ports, properties: file, data }) => ({ id: ports.id, properties: file, data }));
  await format(guardian, made, scramArguments(security));
  return parts.map((part) => new Broker(guardian, part));
}

function behind(
  [listener, port]: readonly [Listener, number],
  proxies: ReadonlyMap<Listener, TcpProxy>,
): readonly [Listener, Door] {
  return [listener, { port, advertised: proxies.get(listener)?.port ?? port }];
}
