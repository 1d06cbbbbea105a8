// The shorter half of the fault runs: those faults that matter most, several to a run, on one cluster. All of them:
// `npm run chaos`.

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { KafkaCluster } from "@usher/local-kafka";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Program } from "../support/program.ts";
import { NaiveLog } from "./checker/naive.ts";
import { FAULTS } from "./faults/faults.ts";
import { together } from "./faults/together.ts";
import { startCluster } from "./scene/cluster.ts";
import { copyWith } from "./scene/copy.ts";
import { type Fault, runFault, type Verdict } from "./scene/run.ts";
import type { Scene } from "./scene/scene.ts";
import { complaints } from "./table.ts";

/** How long one run may take, in milliseconds; ten minutes, of which it needs one on an idle machine. */
const RUN_MS = 600_000;
vi.setConfig({ testTimeout: RUN_MS, hookTimeout: RUN_MS });

const SEED = 11;

let cluster: KafkaCluster;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "usher-chaos-"));
  cluster = await startCluster();
});
afterAll(async () => {
  await cluster?.close();
  await rm(folder, { recursive: true, force: true });
});

function run(fault: Fault, topics: string, root?: string): Promise<Verdict> {
  return runFault(fault, SEED, { cluster, folder: join(folder, topics), topics, ...(root && { root }) });
}

function named(...names: readonly string[]): Fault {
  return together(FAULTS.filter(({ name }) => names.includes(name)));
}

test("nothing is lost, doubled or out of order when the leader, the timekeeper and then all brokers are killed", async () => {
  const verdict = await run(named("kill-leader", "kill-timekeeper", "kill-brokers"), "deaths");
  expect(complaints(verdict)).toEqual([]);
  expect(verdict.figures.terms).toBeGreaterThan(1);
});

test("nothing is lost, doubled or out of order when nodes and brokers are paused, answers get lost, and strangers write", async () => {
  const faults = named("pause-timekeeper-5", "pause-leader-5", "lost-answers", "garbage");
  const verdict = await run(faults, "pauses");
  expect(complaints(verdict)).toEqual([]);
  expect(verdict.figures.terms).toBeGreaterThan(1);
});

test("a topic that is deleted and made again halts the nodes, and renumbers nobody", async () => {
  expect(complaints(await run(named("topic-anew"), "anew"))).toEqual([]);
});

test("the checker notices nodes whose model lets ticks of an old timekeeper count", async () => {
  await using copy = await copyWith({
    file: "packages/queue/src/fold.ts",
    find: 'if (term !== this.#term || record.session !== this.#timekeeper) return ignored("old_term");\n',
    replace: "",
  });
  const fault = { name: "zombie", about: "a timekeeper that wakes up", strike: wakeUntilItTicks };
  const { violations, figures } = await run(fault, "zombie", copy.root);
  expect(figures.lateTicks).toBeGreaterThan(0);
  expect([...violations.keys()]).toContain("I18");
});

test("nothing outlives a runner that is killed, not even a node that is stopped", async () => {
  const runner = new Program("test/chaos/main.ts", ["--only", "pause-other-20", "--folder", folder]);
  try {
    // Nodes are known by the folder that they are told of.
    const kin = await eventually(async () => {
      const nodes = (await processes()).filter(
        ({ args }) => args.includes(join(folder, "pause-other-20")) && args.includes("serve"),
      );
      if (!nodes.some(({ state }) => state.startsWith("T"))) throw new Error("no node is stopped yet");
      return nodes.map(({ pid }) => pid);
    }, RUN_MS);
    expect(kin).toHaveLength(2);
    await runner.stop("SIGKILL");
    await eventually(async () => {
      const left = (await processes()).filter(({ pid }) => kin.includes(pid));
      if (left.length > 0) throw new Error(`still there: ${left.map(({ args }) => args).join("; ")}`);
    });
  } finally {
    await runner.stop("SIGKILL");
  }
});

/** How often a timekeeper is paused until one ticks on waking, and for how long, in milliseconds. */
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

async function processes(): Promise<{ pid: number; state: string; args: string }[]> {
  const { stdout } = await promisify(execFile)("ps", ["-ww", "-eo", "pid=,stat=,args="]);
  return stdout.split("\n").flatMap((line) => {
    const [, pid, state = "", args = ""] = /^ *(\d+) +(\S+) +(.*)$/.exec(line) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), state, args }];
  });
}
