// The log's topic is deleted and made again, under load. Nodes must notice and halt, with words; nobody is renumbered,
// and who holds a ticket of the log that was is told that it is old, or refused, and never shown another's. Nodes that
// are started anew on the new log give out tickets of another epoch.

import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { runTool } from "@usher/local-kafka";
import { LogState } from "@usher/protocol/admin";
import type { IssueResponse } from "@usher/protocol/queue";
import { eventually } from "../../support/eventually.ts";
import type { End } from "../load/http.ts";
import { failure, type QueueClient } from "../load/rpc.ts";
import type { UsherNode } from "../scene/node.ts";
import type { Fault } from "../scene/run.ts";
import type { Scene } from "../scene/scene.ts";

/** How many tickets are held through it, by holders who then ask again. */
const HELD = 12;

/** How long nodes may take to notice, in milliseconds. */
const NOTICE_MS = 30_000;

/** How long a node is watched for whether it stays away, in milliseconds. */
const AWAY_MS = 4_000;

async function makeAnew({ cluster, topic, others }: Scene): Promise<void> {
  const command = async (...args: readonly string[]): Promise<void> => {
    const at = ["--bootstrap-server", cluster.inside.join(","), "--topic", topic];
    const { code, stdout, stderr } = await runTool("org.apache.kafka.tools.TopicCommand", [...args, ...at]);
    if (code !== 0) others.push(`the topic could not be made anew: ${stdout}${stderr}`);
  };
  await command("--delete");
  const settings = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "min.insync.replicas": "2",
    "max.message.bytes": "2000000",
    "compression.type": "uncompressed",
    "message.timestamp.type": "LogAppendTime",
    "unclean.leader.election.enable": "false",
  };
  const configured = Object.entries(settings).flatMap(([name, value]) => ["--config", `${name}=${value}`]);
  await command("--create", "--partitions", "1", "--replication-factor", "3", ...configured);
}

async function deletedAndMadeAgain(scene: Scene): Promise<void> {
  const { nodes, others, rpc } = scene;
  const held = await hold(rpc.visitor(nodes[0].door));
  const asking = keepAsking(scene);
  await makeAnew(scene);
  for (const node of nodes) others.push(...(await hasHalted(scene, node)));
  const issued = await asking.stop();
  others.push(...renumbered(issued));
  for (const node of nodes) others.push(...(await askOfOld(held, rpc.visitor(node.door), node.name)));
  others.push(...(await stayAway(scene)));
  others.push(...(await beginAnew(scene, held)));
}

/** Tickets, and those who hold them. */
async function hold(client: QueueClient): Promise<IssueResponse[]> {
  const held: IssueResponse[] = [];
  for (let count = 0; count < HELD; count++) held.push(await client.issue({ queue: "gate" }));
  return held;
}

interface Asking {
  /** The ids of the tickets that were given out meanwhile. */
  stop(): Promise<string[]>;
}

/** Asks both nodes for tickets, all the time. */
function keepAsking({ nodes, rpc }: Scene): Asking {
  const over = new AbortController();
  const ids: string[] = [];
  const asking = nodes.map(async ({ door }) => {
    while (!over.signal.aborted) {
      const options = { signal: over.signal, timeoutMs: 5_000 };
      const issued = await rpc
        .visitor(door)
        .issue({ queue: "gate" }, options)
        .catch(() => undefined);
      const id = issued?.status?.ticket?.id;
      if (id !== undefined) ids.push(id);
      await sleep(50);
    }
  });
  return {
    stop: async () => {
      over.abort();
      await Promise.all(asking);
      return ids;
    },
  };
}

/** No ticket of any epoch was given out twice. */
function renumbered(ids: readonly string[]): string[] {
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  return twice.map((id) => `${id} was given out twice while the topic was made anew`);
}

async function hasHalted(scene: Scene, node: UsherNode): Promise<string[]> {
  try {
    await eventually(async () => {
      const { status } = await node.readiness();
      const { state, haltedReason = "" } = (await scene.view(node))?.log ?? {};
      if (status !== 503) throw new Error(`node ${node.name} is ready (${status})`);
      if (state !== LogState.HALTED) throw new Error(`node ${node.name} has not halted`);
      if (!haltedReason.includes(scene.topic))
        throw new Error(`node ${node.name} says only: ${haltedReason}`);
    }, NOTICE_MS);
    return [];
  } catch (error) {
    return [`the topic was made anew: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** What holders of old tickets are told by a node that has halted. */
async function askOfOld(
  held: readonly IssueResponse[],
  client: QueueClient,
  node: string,
): Promise<string[]> {
  const said = await Promise.all(
    held.map(async ({ token, status: before }): Promise<string[]> => {
      const told = await client.getTicket({ token }, { timeoutMs: 5_000 }).catch(failure);
      if ("told" in told)
        return told.told === "refused" ? [] : [`node ${node} tells a holder ${told.reason}`];
      const { status } = told;
      const name = before?.ticket?.id;
      if (status?.ticket?.id !== name)
        return [`the holder of ${name} is shown ${status?.ticket?.id} by ${node}`];
      return status?.stale === true ? [] : [`node ${node} does not say that what it shows of ${name} is old`];
    }),
  );
  const issue: unknown = await client.issue({ queue: "gate" }, { timeoutMs: 5_000 }).catch(failure);
  const { told } = issue as Partial<End>;
  return [...said.flat(), ...(told === undefined ? [`node ${node} has halted, and gives out tickets`] : [])];
}

/** Started again as they were, nodes do not take the new log for the old one. */
async function stayAway({ nodes }: Scene): Promise<string[]> {
  for (const node of nodes) await node.stop();
  for (const node of nodes) node.launch();
  await sleep(AWAY_MS);
  const said = await Promise.all(
    nodes.map(async (node) => {
      const { status } = await node.readiness().catch(() => ({ status: 0 }));
      return status === 200 ? [`node ${node.name} takes the new log for the old one`] : [];
    }),
  );
  for (const node of nodes) await node.stop();
  return said.flat();
}

/** The operator lets them forget the old log. */
async function beginAnew(scene: Scene, held: readonly IssueResponse[]): Promise<string[]> {
  const { nodes } = scene;
  // What nodes wrote before they noticed is no beginning of a log.
  await makeAnew(scene);
  for (const node of nodes) await rm(node.data, { recursive: true });
  await Promise.all(nodes.map((node) => node.start()));
  const client = scene.rpc.visitor(nodes[0].door);
  const said = await Promise.all(
    held.map(async ({ token, status }) => {
      const told = await client.getTicket({ token }, { timeoutMs: 5_000 }).catch(failure);
      return "told" in told && told.reason === "QUEUE_RESET"
        ? []
        : [`on a new log, the holder of ${status?.ticket?.id} is told ${JSON.stringify(told)}`];
    }),
  );
  const { status } = await client.issue({ queue: "gate" });
  const ids = new Set(held.map((one) => one.status?.ticket?.id));
  const again = ids.has(status?.ticket?.id) || status?.ticket?.number !== 1;
  return [...said.flat(), ...(again ? [`the new log's first ticket is ${status?.ticket?.id}`] : [])];
}

export const TOPIC: readonly Fault[] = [
  {
    name: "topic-anew",
    about: "the log's topic is deleted and made again",
    strike: async () => {},
    afterwards: deletedAndMadeAgain,
  },
];
