// The shorter half of the fault runs: those faults that matter most, several to a run, on one cluster. All of them:
// `npm run chaos`.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type KafkaCluster, startKafka } from "@usher/local-kafka";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NaiveLog } from "./checker/naive.ts";
import { FAULTS } from "./faults/faults.ts";
import { together } from "./faults/together.ts";
import { copyWith } from "./scene/copy.ts";
import { type Fault, runFault, type Verdict } from "./scene/run.ts";
import type { Scene } from "./scene/scene.ts";
import { complaints } from "./table.ts";

/** How long one run may take, in milliseconds; it needs about one minute. */
const RUN_MS = 240_000;

const SEED = 11;

let cluster: KafkaCluster;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "usher-chaos-"));
  cluster = await startKafka({ brokers: 3, proxied: true });
}, RUN_MS);
afterAll(async () => {
  await cluster?.close();
  await rm(folder, { recursive: true, force: true });
});

function run(fault: Fault, topics: string, root?: string): Promise<Verdict> {
  return runFault(fault, SEED, { cluster, folder: join(folder, topics), topics, ...(root && { root }) });
}

function named(...names: readonly string[]): Fault {
  return together(names.map((name) => FAULTS.find((fault) => fault.name === name) as Fault));
}

test(
  "nothing is lost, doubled or out of order when the log's leader, the timekeeper and the other node are killed",
  async () => {
    const verdict = await run(named("kill-leader", "kill-timekeeper", "kill-other"), "deaths");
    expect(complaints(verdict)).toEqual([]);
    expect(verdict.figures.terms).toBeGreaterThan(1);
  },
  RUN_MS,
);

test(
  "nothing is lost, doubled or out of order when the timekeeper and the leader are paused, and answers get lost",
  async () => {
    const verdict = await run(
      named("pause-timekeeper-5", "pause-leader-5", "lost-answers", "garbage"),
      "pauses",
    );
    expect(complaints(verdict)).toEqual([]);
    expect(verdict.figures.terms).toBeGreaterThan(1);
  },
  RUN_MS,
);

test(
  "all goes on by itself after all brokers were killed at once",
  async () => {
    expect(complaints(await run(named("kill-brokers"), "brokers"))).toEqual([]);
  },
  RUN_MS,
);

test(
  "a topic that is deleted and made again halts the nodes, and renumbers nobody",
  async () => {
    const anew = FAULTS.find(({ name }) => name === "topic-anew") as Fault;
    expect(complaints(await run(anew, "anew"))).toEqual([]);
  },
  RUN_MS,
);

test(
  "the checker notices nodes whose model lets ticks of an old timekeeper count",
  async () => {
    await using copy = await copyWith({
      file: "packages/queue/src/fold.ts",
      find: 'if (term !== this.#term || record.session !== this.#timekeeper) return ignored("old_term");\n',
      replace: "",
    });
    const fault = { name: "zombie", about: "a timekeeper that wakes up", strike: wakeUntilItTicks };
    const { violations, figures } = await run(fault, "zombie", copy.root);
    expect(figures.lateTicks).toBeGreaterThan(0);
    expect([...violations.keys()]).toContain("I18");
  },
  RUN_MS,
);

/** How often a timekeeper is paused until one ticks on waking. */
const WAKINGS = 5;
const PAUSE_MS = 4_000;

async function wakeUntilItTicks(scene: Scene): Promise<void> {
  for (let count = 0; count < WAKINGS; count++) {
    const keeper = await scene.timekeeper();
    keeper.pause();
    await sleep(PAUSE_MS);
    keeper.resume();
    await sleep(PAUSE_MS);
    const late = new NaiveLog(await scene.log()).steps.filter(({ tick }) => tick === "late");
    if (late.length > 0) return;
  }
}
