// Brokers and nodes that die, and come back by themselves after a while, as a supervisor would start them again.

import { setTimeout as sleep } from "node:timers/promises";
import type { Broker } from "@usher/local-kafka";
import { heal } from "../scene/cluster.ts";
import type { UsherNode } from "../scene/node.ts";
import type { Fault } from "../scene/run.ts";
import type { Scene } from "../scene/scene.ts";

/** How long something is dead, in milliseconds. */
const BROKER_DEAD_MS = 6_000;
const NODE_DEAD_MS = 4_000;

async function killBroker(broker: Broker): Promise<void> {
  await broker.kill();
  await sleep(BROKER_DEAD_MS);
  await broker.start();
}

async function killNode(node: UsherNode): Promise<void> {
  await node.kill();
  await sleep(NODE_DEAD_MS);
  await node.start();
}

async function killAllBrokers({ cluster }: Scene): Promise<void> {
  await Promise.all(cluster.members.map((broker) => broker.kill()));
  await sleep(BROKER_DEAD_MS);
  await heal(cluster);
}

export const DEATHS: readonly Fault[] = [
  {
    name: "kill-leader",
    about: "SIGKILL of the broker that leads the log",
    strike: async (scene) => killBroker(await scene.leader()),
  },
  {
    name: "kill-coordinator",
    about: "SIGKILL of the broker that coordinates a reader's group",
    strike: async (scene) => {
      const reader = await scene.reader();
      await killBroker(scene.cluster.broker(await reader.coordinator()));
    },
  },
  {
    name: "kill-timekeeper",
    about: "SIGKILL of the node that keeps time",
    strike: async (scene) => killNode(await scene.timekeeper()),
  },
  {
    name: "kill-other",
    about: "SIGKILL of the other node",
    strike: async (scene) => killNode(await scene.other()),
  },
  {
    name: "kill-brokers",
    about: "SIGKILL of all brokers at once",
    strike: killAllBrokers,
  },
  {
    name: "stop-timekeeper",
    about: "SIGTERM to the node that keeps time, and a new one",
    strike: async (scene) => {
      const keeper = await scene.timekeeper();
      await keeper.stop();
      await keeper.start();
    },
  },
];
