// A run on a log in memory, without faults: seconds, and no Kafka.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import type { Evidence } from "../checker/checker.ts";
import { Lines } from "../history/file.ts";
import { History } from "../history/history.ts";
import type { HistoryLine, ServiceLine } from "../history/lines.ts";
import { Load } from "../load/load.ts";
import { Rpc } from "../load/rpc.ts";
import { startService } from "../load/service.ts";
import { leftToDo } from "../load/settling.ts";
import { startMemoryScene } from "./memory.ts";

/** How long what is under way may take to end once nobody comes any more, in milliseconds. */
const DRAIN_MS = 40_000;

export async function runInMemory(seed: number, load_ms: number): Promise<Evidence> {
  await using opened = new AsyncDisposableStack();
  const folder = opened.adopt(await mkdtemp(join(tmpdir(), "usher-chaos-")), (path) =>
    rm(path, { recursive: true }),
  );
  const lines = opened.adopt(new Lines<HistoryLine>(join(folder, "history.ndjson")), (file) => file.close());
  const served = opened.adopt(new Lines<ServiceLine>(join(folder, "service.ndjson")), (file) => file.close());
  const service = opened.adopt(await startService(served), (one) => one.stop());
  const scene = opened.use(await startMemoryScene(service.url));
  const history = new History(lines);
  const stop = new AbortController();
  const { doors } = scene;
  const rpc = new Rpc(doors);
  const load = new Load({ history, doors, rpc, stop: stop.signal }, seed);
  history.note("load", `seed ${seed}`);
  load.start();
  await sleep(load_ms);
  const earlier = [scene.log()];
  await load.end();
  history.note("load over", "");
  const impatience = setTimeout(() => stop.abort(), DRAIN_MS);
  await load.ended();
  clearTimeout(impatience);
  await eventually(async () => {
    for (const door of doors.all) {
      const left = await leftToDo(door, rpc.admin(door));
      if (left !== undefined) throw new Error(left);
    }
  }, DRAIN_MS);
  history.note("drained", "");
  return { history: lines.kept, service: served.kept, log: scene.log(), earlier };
}
