// Runs a burst: a shop, what stands in front of it, and the crowd, each a process of its own; and reads the files that
// they leave.

import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Child, startAndHear } from "../children.ts";
import type { ShopSettings } from "../shop/settings.ts";
import { type Evidence, type History, type Limit, type Report, readHistory, report } from "./checker.ts";
import type { CrowdProgress } from "./crowd.ts";
import type { TargetMaker } from "./target.ts";

const shopProgram = join(import.meta.dirname, "../shop/main.ts");
const buyersProgram = join(import.meta.dirname, "buyers.ts");

export interface BurstSettings {
  readonly buyers: number;
  readonly seed: number;
  /** The buyers come within this time, in milliseconds. 1,000. */
  readonly window_ms: number;
  /** How long the whole burst may take, in milliseconds; who has no answer by then is lost. */
  readonly deadline_ms: number;
  /** Where the files go; made anew. */
  readonly directory: string;
  /** For the count of inversions, and how many nodes protect the shop: it has a door for each. */
  readonly limit: Limit;
  /** Whether buyers come back after a broken connection, with their key. */
  readonly retry: boolean;
  /** What befalls the target: it is struck when half of the answers are there, or restarted node by node from when a
   * quarter is; undefined: nothing. */
  readonly fate: "strike" | "roll" | undefined;
  readonly shop: Pick<ShopSettings, "workers" | "work_ms" | "idempotent">;
}

/** At which part of all answers it comes. A restart of all takes long: it has to be over before the burst is. */
const FATE_AT = { strike: 1 / 2, roll: 1 / 4 } as const;
const FATES = { strike: "killed", roll: "restarted" } as const;

export interface BurstResult {
  readonly history: History;
  readonly report: Report;
}

export async function runBurst(
  settings: BurstSettings,
  makeTarget: TargetMaker,
  progressed: (progress: CrowdProgress) => void,
): Promise<BurstResult> {
  const { directory } = settings;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const shop = await startShop(settings);
  try {
    await throng(settings, makeTarget(shop.urls, directory), progressed);
  } finally {
    await shop.child.stop();
  }
  const history = readHistory(readEvidence(directory));
  return { history, report: report(history, settings.limit) };
}

/** The files that a burst has left. */
export function readEvidence(directory: string): Evidence {
  return {
    shop: readLines(join(directory, "shop.ndjson")),
    buyers: readLines(join(directory, "buyers.ndjson")),
  };
}

function readLines(path: string): string[] {
  const lines = readFileSync(path, "utf8").split("\n");
  // The file's last line ends, too; whatever stands after that is a torn one, and stays.
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

async function startShop(settings: BurstSettings): Promise<{ child: Child; urls: readonly string[] }> {
  const { shop, seed, directory, limit } = settings;
  const options = ["--port", "0", "--host", "127.0.0.1", "--log", join(directory, "shop.ndjson")];
  options.push("--doors", `${limit.nodes ?? 1}`);
  options.push("--workers", `${shop.workers}`, "--work-ms", `${shop.work_ms}`, "--seed", `${seed}`);
  if (shop.idempotent) options.push("--idempotent");
  const start = (heard: (message: unknown) => void) => Child.fork(shopProgram, options, heard);
  const { child, message } = await startAndHear(start, "listening");
  return { child, urls: Array.isArray(message.urls) ? message.urls.map(String) : [] };
}

/** Sends the crowd, and ends when it has gone home. */
async function throng(
  settings: BurstSettings,
  target: ReturnType<TargetMaker>,
  progressed: (progress: CrowdProgress) => void,
): Promise<void> {
  const running = await target.start();
  let struck: Promise<void> | undefined;
  const crowd = Child.fork(buyersProgram, crowdOptions(settings, running.urls), (message) => {
    const progress = message as CrowdProgress;
    progressed(progress);
    const { fate, buyers } = settings;
    if (fate === undefined || progress.answered < buyers * FATE_AT[fate]) return;
    if (struck !== undefined) return;
    struck = running[fate]();
    // There is nobody left to wait for; the reason is told where the strike is awaited.
    struck.catch(() => crowd.kill());
  });
  try {
    const { code, signal } = await crowd.ended;
    await struck;
    if (code !== 0) throw new Error(`the buyers ended early (${signal ?? `code ${code}`})`);
    if (settings.fate !== undefined && struck === undefined)
      throw new Error(`the burst was over before the target could be ${FATES[settings.fate]}`);
  } finally {
    await crowd.kill();
    await running.stop();
  }
}

function crowdOptions(settings: BurstSettings, urls: readonly string[]): string[] {
  const { buyers, window_ms, deadline_ms, seed, retry, directory } = settings;
  const options = ["--buyers", `${buyers}`, "--window-ms", `${window_ms}`, "--seed", `${seed}`];
  for (const url of urls) options.push("--url", url);
  options.push("--deadline-ms", `${deadline_ms}`, "--log", join(directory, "buyers.ndjson"));
  if (retry) options.push("--retry");
  return options;
}
