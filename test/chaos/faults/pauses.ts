// Brokers and nodes that are stopped (SIGSTOP: connections stay, nobody answers) and woken.

import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../scene/run.ts";
import type { Scene } from "../scene/scene.ts";

interface Pausable {
  pause(): void;
  resume(): void;
}

const WHO: readonly {
  readonly name: string;
  readonly about: string;
  readonly who: (scene: Scene) => Promise<Pausable>;
}[] = [
  { name: "leader", about: "the broker that leads the log", who: (scene) => scene.leader() },
  { name: "timekeeper", about: "the node that keeps time", who: (scene) => scene.timekeeper() },
  { name: "other", about: "the other node", who: (scene) => scene.other() },
];

/** Shorter than most time-outs; longer than all but the longest. */
const SECONDS = [5, 20];

export const PAUSES: readonly Fault[] = SECONDS.flatMap((seconds) =>
  WHO.map(({ name, about, who }) => ({
    name: `pause-${name}-${seconds}`,
    about: `SIGSTOP of ${about}, for ${seconds} s`,
    strike: async (scene: Scene) => {
      const paused = await who(scene);
      paused.pause();
      await sleep(seconds * 1_000);
      paused.resume();
    },
  })),
);
