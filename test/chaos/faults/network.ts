// Brokers that live and cannot be reached, answers that are lost, and a cluster that is not there yet.

import { setTimeout as sleep } from "node:timers/promises";
import type { TcpProxy, Way } from "@usher/local-kafka";
import { eventually } from "../../support/eventually.ts";
import { DOORS, heal, proxiesOf } from "../scene/cluster.ts";
import type { UsherNode } from "../scene/node.ts";
import type { Fault } from "../scene/run.ts";
import type { Scene } from "../scene/scene.ts";

/** How long brokers cannot be reached, in milliseconds. */
const BLOCKED_MS = 10_000;

/** How often the answer to a write is lost, and how long apart, in milliseconds. */
const LOST = 6;
const LOST_APART_MS = 1_500;

/** How long a node may take to say that it cannot reach its log, in milliseconds; it tries for ten seconds. */
const SAY_MS = 30_000;

/** Nobody but the clients notices: the brokers reach each other, so that the leader stays where it is. */
async function block(scene: Scene, brokers: number, way: Way | "both" = "both"): Promise<void> {
  const leader = await scene.leader();
  const others = scene.cluster.members.filter((broker) => broker !== leader);
  await blocked([leader, ...others].slice(0, brokers).flatMap(proxiesOf), way);
}

/** One node reaches no broker, and the other reaches all. */
async function isolate({ cluster }: Scene, node: UsherNode): Promise<void> {
  await blocked(cluster.members.map((broker) => broker.proxy(DOORS[node.name])));
}

async function blocked(proxies: readonly TcpProxy[], way: Way | "both" = "both"): Promise<void> {
  for (const proxy of proxies) proxy.block(way);
  await sleep(BLOCKED_MS);
  for (const proxy of proxies) proxy.unblock();
}

async function loseAnswers(scene: Scene): Promise<void> {
  for (let count = 0; count < LOST; count++) {
    const leader = await scene.leader();
    await Promise.all(proxiesOf(leader).map((proxy) => proxy.dropNextAnswer("produce")));
    await sleep(LOST_APART_MS);
  }
}

async function startWithoutBrokers(scene: Scene): Promise<void> {
  const { cluster, nodes, others } = scene;
  await Promise.all(cluster.members.map((broker) => broker.kill()));
  for (const node of nodes) node.launch();
  for (const node of nodes) {
    await eventually(async () => {
      const { status, text } = await node.readiness();
      if (status !== 503 || !text.includes("cannot be reached")) throw new Error(`it is ${status}: ${text}`);
    }, SAY_MS).catch((error: Error) => others.push(`node ${node.name} without brokers: ${error.message}`));
  }
  await heal(cluster);
  await Promise.all(nodes.map((node) => node.ready()));
}

export const NETWORK: readonly Fault[] = [
  {
    name: "unreachable-one",
    about: "the log's leader cannot be reached for 10 s",
    strike: (scene) => block(scene, 1),
  },
  {
    name: "unreachable-two",
    about: "the log's leader and another broker cannot be reached for 10 s",
    strike: (scene) => block(scene, 2),
  },
  {
    name: "deaf-leader",
    about: "the leader's answers are held up for 10 s, and its clients' requests are not",
    strike: (scene) => block(scene, 1, "answers"),
  },
  {
    name: "isolated-timekeeper",
    about: "the node that keeps time reaches no broker for 10 s, and the other does",
    strike: async (scene) => isolate(scene, await scene.timekeeper()),
  },
  {
    name: "isolated-other",
    about: "the other node reaches no broker for 10 s",
    strike: async (scene) => isolate(scene, await scene.other()),
  },
  { name: "lost-answers", about: "the answers to six writes of each node are lost", strike: loseAnswers },
  {
    name: "absent-brokers",
    about: "nodes that start before there are brokers",
    start: startWithoutBrokers,
    strike: async () => {},
  },
];
