// The model alone: what ten million people in line cost in memory, how fast one is told their place, and how fast
// tickets are folded. Beside it, in the same run, what one would write first: objects in an array, and in a Map.
//
//   model/measure.ts      the measurement, each in a process of its own
//   model/contestants.ts  what is measured

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ContestantName } from "./model/contestants.ts";
import type { Measured } from "./model/measure.ts";

const BYTES_GOAL = 64;
const MICROSECONDS_GOAL = 2;

const MILLION = 1_000_000;

/** Peers wait in shorter lines: with ten million, they would not end. */
const ROWS: readonly { contestant: ContestantName; waiting: number; has: string; goal: boolean }[] = [
  { contestant: "defer", waiting: 10 * MILLION, has: "Usher, defer: key, digest", goal: true },
  { contestant: "pass", waiting: 10 * MILLION, has: "Usher, pass: subject", goal: true },
  {
    contestant: "pass-with-key",
    waiting: 10 * MILLION,
    has: "Usher, pass: subject, key, digest",
    goal: false,
  },
  { contestant: "map", waiting: MILLION, has: "objects in a Map, numbers sorted", goal: false },
  { contestant: "array", waiting: MILLION / 10, has: "objects in an array", goal: false },
];

const NOTES = [
  "Bytes are resident memory after less before, with all that ended and is still remembered. Places are asked at",
  "random. Times are the processor's, so that others who use it do not count. Not measured: reading and decoding",
  "the log, admissions, claims, several queues, and the longest single record (an index of keys that grows).",
];

export const name = "model";
export const about = "memory, places and folding with ten million in line, beside arrays and Maps of objects";

export async function run(print: (line: string) => void): Promise<void> {
  print("The model, after a tenth more had come and expired, left or asked twice; each row a fresh process:");
  print("                                        waiting   bytes each   µs a place    issues/s");
  const measured = new Map<ContestantName, Measured>();
  for (const { contestant, waiting, has } of ROWS) {
    measured.set(contestant, await measure(contestant, waiting));
    print(`  ${has.padEnd(34)}${columns(measured.get(contestant)!)}`);
  }
  const [usher, map] = [measured.get("defer")!, measured.get("map")!];
  const share = (usher.bytes / map.bytes).toFixed(2);
  const speed = (usher.issues / map.issues).toFixed(2);
  print(
    `In a line ten times as long as the Map's, a ticket takes ${share} of the memory, at ${speed} of the speed.`,
  );
  print(`Goals: at most ${BYTES_GOAL} bytes a waiting ticket, and a place in under ${MICROSECONDS_GOAL} µs.`);
  const missed = ROWS.filter(({ goal, contestant }) => goal && !meetsGoals(measured.get(contestant)!));
  print(missed.length === 0 ? "Met." : `Missed: ${missed.map(({ has }) => has).join("; ")}.`);
  for (const line of NOTES) print(line);
  if (missed.length > 0) process.exitCode = 1;
}

function columns({ waiting, bytes, microseconds, issues }: Measured): string {
  const figures = [waiting.toLocaleString("en"), bytes.toFixed(1), microseconds.toFixed(2)];
  const rate = Math.round(issues).toLocaleString("en");
  return `${figures.map((figure) => figure.padStart(12)).join(" ")} ${rate.padStart(11)}`;
}

function meetsGoals({ bytes, microseconds }: Measured): boolean {
  return bytes <= BYTES_GOAL && microseconds < MICROSECONDS_GOAL;
}

async function measure(contestant: ContestantName, waiting: number): Promise<Measured> {
  const program = fileURLToPath(new URL("./model/measure.ts", import.meta.url));
  const args = ["--expose-gc", program, contestant, String(waiting)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Measured;
}
