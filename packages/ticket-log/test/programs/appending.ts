// Runs `append.ts` and kills it.

import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** How many appends the program has under way. */
export const AT_ONCE = 12;

/** When to kill it: so many milliseconds after it was started, or after an acknowledgement. */
export interface Moment {
  readonly after: "start" | "acknowledgement";
  readonly ms: number;
  /** Which acknowledgement, from 1; the first. */
  readonly nth?: number;
}

export interface Round {
  readonly directory: string;
  readonly round: number;
  readonly moment: Moment;
  /** Has the program acknowledge before the log does. */
  readonly early?: boolean;
}

/** Lets the program append until it is killed; the numbers of the records that it saw acknowledged, in that order. */
export async function appendUntilKilled({ directory, round, moment, early }: Round): Promise<number[]> {
  // A file rather than a pipe: whatever the program has written is in it, and nothing is ever lost on the way.
  const acknowledged = `${directory}.acknowledged`;
  const output = openSync(acknowledged, "w");
  const program = fileURLToPath(new URL("append.ts", import.meta.url));
  const child = spawn(process.execPath, [program, directory, `${round}`, ...(early ? ["early"] : [])], {
    stdio: ["ignore", output, "inherit"],
  });
  const exited = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once("exit", (_, signal) => resolve(signal)),
  );
  try {
    const { after, nth = 1 } = moment;
    while (after === "acknowledgement" && linesOf(acknowledged) < nth && child.exitCode === null)
      await sleep(1);
    await sleep(moment.ms);
  } finally {
    child.kill("SIGKILL");
  }
  if ((await exited) !== "SIGKILL") throw new Error("the program ended by itself");
  closeSync(output);
  const lines = readFileSync(acknowledged, "utf8").split("\n");
  rmSync(acknowledged);
  return lines.slice(0, -1).map(Number);
}

function linesOf(file: string): number {
  return readFileSync(file, "utf8").split("\n").length - 1;
}
