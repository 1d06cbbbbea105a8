// The burst, whole, as `npm run demo:burst` runs it: 5,000 real clients within a second, at a shop that can serve 200.
// What is asserted is what the checker makes of the shop's file and the clients', and of nothing else.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Program } from "../support/program.ts";

const BUYERS = 5_000;
const MAX_ACTIVE = 40;
/** 200 a second for five seconds, and two bursts of 200 ms. */
const IN_FIVE_SECONDS = 5 * 200 + 2 * 40;
/** A burst takes under a minute; the machine may be busy. */
const WAIT_MS = 5 * 60_000;

interface Report {
  answered: number;
  failed: number;
  lost: number;
  unknown: number;
  answeredTwice: number;
  inversions: number;
  mostInFlight: number;
  worstFiveSeconds: number;
  unknownRepeated: number;
  renumbered: number;
  numbersShared: number;
  seatsSoldTwice: number;
}

interface Result {
  kept: boolean;
  breaches: unknown[];
  direct: Report;
  usher: Report;
}

async function burst(...flags: string[]): Promise<{ result: Result; picture: string }> {
  const out = await mkdtemp(join(tmpdir(), "usher-burst-"));
  onTestFinished(() => rm(out, { recursive: true, force: true }));
  const program = new Program("examples/box-office/src/burst/main.ts", [
    ...["--buyers", `${BUYERS}`, "--out", out, "--json"],
    ...flags,
  ]);
  await program.ended;
  const result = JSON.parse(program.stdout) as Result;
  expect(result.breaches).toEqual([]);
  expect(result.kept).toBe(true);
  return { result, picture: await readFile(join(out, "burst.svg"), "utf8") };
}

test("5,000 come within a second: the shop alone fails most, through Usher all are answered, in order", {
  timeout: WAIT_MS,
}, async () => {
  const { result, picture } = await burst();
  expect(result.usher).toMatchObject({
    answered: BUYERS,
    failed: 0,
    lost: 0,
    unknown: 0,
    answeredTwice: 0,
    inversions: 0,
    seatsSoldTwice: 0,
  });
  expect(result.usher.mostInFlight).toBeLessThanOrEqual(MAX_ACTIVE);
  expect(result.usher.worstFiveSeconds).toBeLessThanOrEqual(IN_FIVE_SECONDS);
  expect(result.direct.failed).toBeGreaterThan(BUYERS / 2);
  expect(picture).toContain("5,000 buyers");
});

test("killed halfway and started again: every number is kept, and at most the open claims are unknown", {
  timeout: WAIT_MS,
}, async () => {
  const { result } = await burst("--kill");
  const { answered, unknown, failed, lost, answeredTwice, renumbered, numbersShared, unknownRepeated } =
    result.usher;
  expect(answered + unknown).toBe(BUYERS);
  expect(unknown).toBeLessThanOrEqual(MAX_ACTIVE);
  expect({ failed, lost, answeredTwice, unknownRepeated }).toEqual({
    failed: 0,
    lost: 0,
    answeredTwice: 0,
    unknownRepeated: 0,
  });
  expect({ renumbered, numbersShared }).toEqual({ renumbered: 0, numbersShared: 0 });
});

test("killed halfway on an idempotent route: nothing is unknown, and no seat is sold twice", {
  timeout: WAIT_MS,
}, async () => {
  const { result } = await burst("--kill", "--idempotent");
  expect(result.usher).toMatchObject({ answered: BUYERS, unknown: 0, failed: 0, lost: 0, seatsSoldTwice: 0 });
});
