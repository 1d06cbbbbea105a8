// What a fault run happens in: three real brokers behind proxies, two real nodes, the load and its histories.
//
//   cluster.ts   the brokers                  queues.ts       the queues and routes
//   node.ts      a node as a process
//   watchdog.ts  for what is stopped          memory.ts       two nodes in this process, on a log in memory
//   ports.ts     ports for nodes              memory-run.ts   a run there
//   run.ts       a run, from start to verdict

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Broker, KafkaCluster } from "@usher/local-kafka";
import type { Node } from "@usher/protocol/admin";
import { openKeys } from "@usher/replica";
import { eventually } from "../../support/eventually.ts";
import { Lines } from "../history/file.ts";
import { History } from "../history/history.ts";
import type { HistoryLine, ServiceLine } from "../history/lines.ts";
import type { Doors } from "../load/doors.ts";
import { keyHash } from "../load/key-hash.ts";
import { Rpc } from "../load/rpc.ts";
import { type ChaosService, startService } from "../load/service.ts";
import type { LogEntry } from "../log/entry.ts";
import { Kcat } from "../log/kcat.ts";
import { GroupReader } from "../log/reader.ts";
import { ENVIRONMENT, logLines } from "./cluster.ts";
import { UsherNode } from "./node.ts";
import { freePorts } from "./ports.ts";
import { configFor } from "./queues.ts";

/** How long it may take until there is a leader, a timekeeper, or something to read, in milliseconds; a minute, since the
 * machine may be busy: this bound is there to end a run that has failed. */
const WAIT_MS = 60_000;

export interface SceneOptions {
  readonly cluster: KafkaCluster;
  /** For all that it leaves. Made new. */
  readonly folder: string;
  /** What its topics' names begin with. */
  readonly topics: string;
  /** Where the source is that the nodes run; absent: here. */
  readonly root?: string;
}

export class Scene implements AsyncDisposable {
  readonly cluster: KafkaCluster;
  readonly folder: string;
  /** The topic of the log. */
  readonly topic: string;
  readonly kcat: Kcat;
  readonly nodes: readonly [UsherNode, UsherNode];
  readonly doors: Doors;
  readonly rpc: Rpc;
  readonly history: History;
  readonly historyLines: Lines<HistoryLine>;
  readonly serviceLines: Lines<ServiceLine>;
  /** What went otherwise than a fault's own script expects; to be told with the verdict. */
  readonly others: string[] = [];
  readonly #service: ChaosService;
  #reader: GroupReader | undefined;

  private constructor(
    { cluster, folder, topics }: SceneOptions,
    parts: Pick<Scene, "nodes" | "doors" | "historyLines" | "serviceLines"> & {
      readonly service: ChaosService;
    },
  ) {
    this.cluster = cluster;
    this.folder = folder;
    this.topic = `${topics}.queues`;
    this.kcat = new Kcat(cluster.inside);
    this.nodes = parts.nodes;
    this.doors = parts.doors;
    this.historyLines = parts.historyLines;
    this.serviceLines = parts.serviceLines;
    this.rpc = new Rpc(parts.doors);
    this.history = new History(parts.historyLines);
    this.#service = parts.service;
  }

  /** Everything but the nodes' processes. */
  static async prepare(options: SceneOptions): Promise<Scene> {
    const { cluster, folder, topics, root } = options;
    await mkdir(folder, { recursive: true });
    const historyLines = new Lines<HistoryLine>(join(folder, "history.ndjson"));
    const serviceLines = new Lines<ServiceLine>(join(folder, "service.ndjson"));
    const service = await startService(serviceLines);
    const keysFile = join(folder, "usher.keys.json");
    const keys = await openKeys({ file: keysFile, create: true });
    const ports = await freePorts(4);
    const [a, b] = await Promise.all(
      (["a", "b"] as const).map(async (name, at) => {
        const config = join(folder, `usher-${name}.yaml`);
        const lines = [...logLines(cluster, name, topics), configFor(service.url)];
        await writeFile(config, lines.join("\n"));
        return new UsherNode({
          ...{ name, config, keys: keysFile, data: join(folder, `node-${name}`), ...(root && { root }) },
          ports: { gateway: ports[2 * at] ?? 0, native: ports[2 * at + 1] ?? 0 },
          env: ENVIRONMENT,
        });
      }) as [Promise<UsherNode>, Promise<UsherNode>],
    );
    const doors: Doors = {
      all: [a.door, b.door],
      apiKey: keys.api_keys[0]?.key ?? "",
      keyHash: (queue, caller, key) => keyHash(keys.hash, queue, caller, key),
    };
    return new Scene(options, { nodes: [a, b], doors, historyLines, serviceLines, service });
  }

  /** The node that keeps time. */
  async timekeeper(): Promise<UsherNode> {
    return eventually(async () => {
      const keepers = await Promise.all(
        this.nodes.map(async (node) => ((await this.#keeps(node)) ? node : undefined)),
      );
      const [keeper] = keepers.filter((node) => node !== undefined);
      if (keeper === undefined) throw new Error("nobody keeps time");
      return keeper;
    }, WAIT_MS);
  }

  /** The node that does not. */
  async other(): Promise<UsherNode> {
    const keeper = await this.timekeeper();
    const [a, b] = this.nodes;
    return keeper === a ? b : a;
  }

  /** How a node sees itself; absent where it does not answer. */
  async view({ door }: UsherNode): Promise<Node | undefined> {
    const { node } = await this.rpc
      .admin(door)
      .getNode({}, { timeoutMs: 1_000 })
      .catch(() => ({ node: undefined }));
    return node;
  }

  /** The broker that leads the log. */
  async leader(): Promise<Broker> {
    return this.cluster.broker(await eventually(() => this.kcat.leader(this.topic), WAIT_MS));
  }

  /** A reader of the log in a consumer group, from now on; one a run. */
  async reader(): Promise<GroupReader> {
    const { kcat, topic, cluster } = this;
    const reader = new GroupReader({ kcat, topic, brokers: cluster.inside, group: `${topic}-reader` });
    this.#reader = reader;
    await eventually(() => {
      if (reader.entries.length === 0) throw new Error("the reader has not read anything");
    }, WAIT_MS);
    return reader;
  }

  /** What such a reader has read of a log, once it has come to its end; absent without one. What it has missed is told
   * with the verdict. */
  async readByGroup(log: readonly LogEntry[]): Promise<readonly LogEntry[] | undefined> {
    const reader = this.#reader;
    if (reader === undefined) return undefined;
    const end = (log.at(-1)?.offset ?? -1) + 1;
    await eventually(() => {
      if (reader.next < end) throw new Error(`the reader has read to ${reader.next} of ${end}`);
    }, WAIT_MS);
    const read = reader.entries.filter(({ offset }) => offset < end);
    const offsets = new Set(read.map(({ offset }) => offset));
    const missed = log.filter(({ offset }) => !offsets.has(offset));
    if (missed.length > 0)
      this.others.push(`the group's reader missed ${missed.length} entries, from ${missed[0]?.offset} on`);
    return read;
  }

  /** The whole log, as it is now. */
  log(): Promise<LogEntry[]> {
    return eventually(() => this.kcat.read(this.topic), WAIT_MS);
  }

  async close(): Promise<void> {
    for (const node of this.nodes) node.resume();
    await Promise.all(this.nodes.map((node) => node.stop()));
    for (const node of this.nodes) await writeFile(join(this.folder, `node-${node.name}.log`), node.output);
    await this.#reader?.stop();
    await this.#service.stop();
    await Promise.all([this.historyLines.close(), this.serviceLines.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await this.#reader?.stop();
    await this.#service.stop();
  }

  async #keeps(node: UsherNode): Promise<boolean> {
    return (await this.view(node))?.timekeeper?.own === true;
  }
}
