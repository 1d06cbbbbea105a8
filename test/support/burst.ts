// A whole burst as `npm run demo:burst` runs it, in a process of its own, and what the checker made of the shop's file
// and the buyers'.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { Program } from "./program.ts";

/** The demo's limit, of all nodes together. */
export const MAX_ACTIVE = 40;
/** 200 a second for five seconds, and two bursts of 200 ms. */
export const IN_FIVE_SECONDS = 5 * 200 + 2 * 40;

export interface NodeReport {
  readonly ticketsGiven: number;
  readonly answers: number;
  readonly broken: number;
  readonly sent: number;
  readonly sentForOthers: number;
  readonly mostInFlight: number;
}

export interface Report {
  readonly answered: number;
  readonly failed: number;
  readonly lost: number;
  readonly unknown: number;
  readonly answeredTwice: number;
  readonly inversions: number;
  readonly mostInFlight: number;
  readonly worstFiveSeconds: number;
  readonly unknownRepeated: number;
  readonly renumbered: number;
  readonly numbersShared: number;
  readonly seatsSoldTwice: number;
  readonly nodes: readonly NodeReport[];
}

export interface Burst {
  readonly direct: Report;
  readonly usher: Report;
  /** The SVG. */
  readonly picture: string;
}

/** Runs it with these flags, and demands that every promise was kept. */
export async function burst(...flags: readonly string[]): Promise<Burst> {
  const out = await mkdtemp(join(tmpdir(), "usher-burst-"));
  onTestFinished(() => rm(out, { recursive: true, force: true }));
  const program = new Program("examples/box-office/src/burst/main.ts", ["--out", out, "--json", ...flags]);
  onTestFinished(() => program.stop().then(() => undefined));
  await program.ended;
  expect(program.stdout, program.stderr).not.toBe("");
  const { direct, usher, breaches, kept } = JSON.parse(program.stdout) as Burst & {
    breaches: unknown[];
    kept: boolean;
  };
  const met = breaches.length === 0 ? {} : await metIn(join(out, "usher"));
  expect(breaches, `what buyers met: ${JSON.stringify(met)}`).toEqual([]);
  expect(kept).toBe(true);
  return { direct, usher, picture: await readFile(join(out, "burst.svg"), "utf8") };
}

/** How often buyers got which answer to what, or none and why, as `purchase 202`: what a failure is looked into by. */
async function metIn(folder: string): Promise<Record<string, number>> {
  const met: Record<string, number> = {};
  for (const line of (await readFile(join(folder, "buyers.ndjson"), "utf8")).split("\n")) {
    const { kind, to, status, error } = (line === "" ? {} : JSON.parse(line)) as Record<string, unknown>;
    if (kind !== "answer" && kind !== "broken") continue;
    const what = `${to} ${kind === "answer" ? status : error}`;
    met[what] = (met[what] ?? 0) + 1;
  }
  return met;
}
