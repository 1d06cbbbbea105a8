// One run: nodes, load, a fault, its healing, rest, the end of the load, and the verdict on all that was left.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CheckName, check, type Figures } from "../checker/checker.ts";
import { Auditor } from "../load/auditor.ts";
import { Load } from "../load/load.ts";
import { leftToDo } from "../load/settling.ts";
import type { LogEntry } from "../log/entry.ts";
import { heal } from "./cluster.ts";
import { Scene, type SceneOptions } from "./scene.ts";

/** How long the load runs before a fault, and after its healing, in milliseconds. */
const BEFORE_MS = 5_000;
const AFTER_MS = 6_000;

/** How long clients and nodes may take to bring to an end what is under way once nobody comes any more, in
 * milliseconds. */
const DRAIN_MS = 90_000;

/** Between two looks at whether anything is left to do, in milliseconds. */
const LOOK_MS = 500;

export interface Fault {
  readonly name: string;
  /** What is done, in a few words. */
  readonly about: string;
  /** In place of starting both nodes and waiting for them. */
  readonly start?: (scene: Scene) => Promise<void>;
  /** Breaks something and mends it. */
  readonly strike: (scene: Scene) => Promise<void>;
  /** After the load, when its log has been read: what no log tells. */
  readonly afterwards?: (scene: Scene) => Promise<void>;
}

export interface Verdict {
  readonly fault: Fault;
  readonly seed: number;
  readonly violations: ReadonlyMap<CheckName, readonly string[]>;
  /** What else is wrong: a node that ended by itself, clients that never came to an end, and the like. */
  readonly others: readonly string[];
  readonly figures: Figures;
  readonly took_ms: number;
}

export async function runFault(fault: Fault, seed: number, options: SceneOptions): Promise<Verdict> {
  const begun_ms = performance.now();
  await heal(options.cluster);
  await using scene = await Scene.prepare(options);
  const { history, doors, rpc, nodes, others } = scene;
  if (fault.start !== undefined) await fault.start(scene);
  else await Promise.all(nodes.map((node) => node.start()));
  const stop = new AbortController();
  const load = new Load({ history, doors, rpc, stop: stop.signal }, seed);
  history.note("load", `seed ${seed}`);
  load.start();
  await sleep(BEFORE_MS);
  const earlier: (readonly LogEntry[])[] = [await scene.log()];
  history.note("fault", fault.about);
  await fault.strike(scene);
  history.note("healed", "");
  await sleep(AFTER_MS);
  await load.end();
  history.note("load over", `${load.clients} clients are under way`);
  others.push(...(await drain(scene, load, stop)));
  await new Auditor({ history, doors, rpc, stop: AbortSignal.timeout(DRAIN_MS) }, { name: "audit" }).run();
  history.note("drained", "");
  others.push(...(await unready(scene)));
  const log = await scene.log();
  const read = await scene.readByGroup(log);
  if (read !== undefined) earlier.push(read);
  await fault.afterwards?.(scene);
  others.push(...nodes.flatMap((node) => node.ends));
  await scene.close();
  await keep(scene, log);
  const evidence = { history: scene.historyLines.kept, service: scene.serviceLines.kept, log, earlier };
  return { fault, seed, ...check(evidence), others, took_ms: performance.now() - begun_ms };
}

/** Until all has ended; tells what has not. */
async function drain(scene: Scene, load: Load, stop: AbortController): Promise<string[]> {
  const deadline_ms = performance.now() + DRAIN_MS;
  const impatience = setTimeout(() => {
    scene.history.note("other", `${load.clients} clients are told to give up`);
    stop.abort();
  }, DRAIN_MS);
  await load.ended();
  clearTimeout(impatience);
  const said = stop.signal.aborted ? ["some clients never came to an end"] : [];
  for (;;) {
    const left = await Promise.all(scene.doors.all.map((door) => leftToDo(door, scene.rpc.admin(door))));
    const all = left.filter((words) => words !== undefined);
    if (all.length === 0) return said;
    if (performance.now() > deadline_ms) return [...said, ...all];
    await sleep(LOOK_MS);
  }
}

/** Nodes that are not ready, though nothing is broken any more. */
async function unready({ nodes }: Scene): Promise<string[]> {
  const said = await Promise.all(
    nodes.map(async (node) => {
      const { status, text } = await node
        .readiness()
        .catch((error: Error) => ({ status: 0, text: error.message }));
      return status === 200 ? [] : [`node ${node.name} is not ready when all is over: ${text}`];
    }),
  );
  return said.flat();
}

/** The log as it was read, for who wants to look at it. */
async function keep({ folder }: Scene, log: readonly LogEntry[]): Promise<void> {
  const lines = log.map(({ offset, key, value }) =>
    JSON.stringify({ offset, key, value: Buffer.from(value).toString("base64") }),
  );
  await writeFile(join(folder, "log.ndjson"), `${lines.join("\n")}\n`);
}
