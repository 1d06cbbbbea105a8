import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../scene/run.ts";
import type { Scene } from "../scene/scene.ts";

/** How long nothing is broken between two faults, in milliseconds: a timekeeper's silence, a leader's election. */
const BETWEEN_MS = 4_000;

/** Several faults in one run, one after another: for who has less time than there are faults. */
export function together(faults: readonly Fault[]): Fault {
  return {
    name: faults.map(({ name }) => name).join("-then-"),
    about: faults.map(({ about }) => about).join("; then "),
    strike: async (scene: Scene) => {
      for (const [at, { about, strike }] of faults.entries()) {
        if (at > 0) {
          scene.history.note("healed", "");
          await sleep(BETWEEN_MS);
          scene.history.note("fault", about);
        }
        await strike(scene);
      }
    },
    afterwards: async (scene: Scene) => {
      for (const { afterwards } of faults) await afterwards?.(scene);
    },
  };
}
