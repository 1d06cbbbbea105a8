// Brokers that live and cannot be reached, answers that are lost, and a cluster that is not there yet.

import { setTimeout as sleep } from "node:timers/promises";
import type { Way } from "@usher/local-kafka";
import type { Fault } from "../scene/run.ts";
import type { Scene } from "../scene/scene.ts";
import { startAll } from "./deaths.ts";

/** How long brokers cannot be reached, in milliseconds. */
const BLOCKED_MS = 10_000;

/** How often the answer to a write is lost, and how long apart, in milliseconds. */
const LOST = 6;
const LOST_APART_MS = 1_500;

/** How long nodes run before there are brokers, in milliseconds. */
const ABSENT_MS = 6_000;

/** Nobody but the clients notices: the brokers reach each other, so that the leader stays where it is. */
async function block(scene: Scene, brokers: number, way: Way | "both" = "both"): Promise<void> {
  const leader = await scene.leader();
  const others = scene.cluster.members.filter((broker) => broker !== leader);
  const proxies = [leader, ...others].slice(0, brokers).map((broker) => broker.proxy());
  for (const proxy of proxies) proxy.block(way);
  await sleep(BLOCKED_MS);
  for (const proxy of proxies) proxy.unblock();
}

async function loseAnswers(scene: Scene): Promise<void> {
  for (let count = 0; count < LOST; count++) {
    const proxy = await scene.leaderProxy();
    await proxy.dropNextAnswer("produce");
    await sleep(LOST_APART_MS);
  }
}

async function startWithoutBrokers(scene: Scene): Promise<void> {
  const { cluster, nodes, others } = scene;
  await Promise.all(cluster.members.map((broker) => broker.kill()));
  for (const node of nodes) node.launch();
  await sleep(ABSENT_MS);
  for (const node of nodes) {
    const { status, text } = await node.readiness();
    if (status !== 503 || !text.includes("cannot be reached"))
      others.push(`node ${node.name} without brokers is ${status}: ${text}`);
  }
  await startAll(cluster.members);
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
  { name: "lost-answers", about: "the answers to six writes are lost", strike: loseAnswers },
  {
    name: "absent-brokers",
    about: "nodes that start before there are brokers",
    start: startWithoutBrokers,
    strike: async () => {},
  },
];
