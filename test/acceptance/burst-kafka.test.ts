// The burst through two nodes that share one queue on a real Kafka, as `npm run demo:burst -- --kafka` runs it: real
// processes, and one of the nodes killed halfway. What is asserted is what the checker makes of the shop's file and the
// buyers', and of nothing else.

import { expect, test } from "vitest";
import { IN_FIVE_SECONDS, MAX_ACTIVE, type Report, burst as runBurst } from "../support/burst.ts";

const BUYERS = 1_500;
/** Of each of the two. */
const SHARE = MAX_ACTIVE / 2;
/** A burst takes under a minute; the machine may be busy. */
const WAIT_MS = 4 * 60_000;

/** What must be so however it went. */
const ZEROS = {
  failed: 0,
  lost: 0,
  answeredTwice: 0,
  seatsSoldTwice: 0,
  unknownRepeated: 0,
  numbersMissing: 0,
  numbersShared: 0,
  renumbered: 0,
  findings: { count: 0 },
};

async function burst(...flags: string[]): Promise<Report> {
  const { usher } = await runBurst("--kafka", "--buyers", `${BUYERS}`, ...flags);
  expect(usher).toMatchObject(ZEROS);
  expect(usher.mostInFlight).toBeLessThanOrEqual(MAX_ACTIVE);
  expect(usher.worstFiveSeconds).toBeLessThanOrEqual(IN_FIVE_SECONDS);
  expect(usher.nodes).toHaveLength(2);
  for (const { mostInFlight } of usher.nodes) expect(mostInFlight).toBeLessThanOrEqual(SHARE);
  return usher;
}

test("two nodes share the crowd: both give tickets, both answer, all are served, in order and within the limit", {
  timeout: WAIT_MS,
}, async () => {
  const { answered, unknown, inversions, nodes } = await burst();
  expect({ answered, unknown, inversions }).toEqual({ answered: BUYERS, unknown: 0, inversions: 0 });
  for (const { ticketsGiven, answers, sent, broken } of nodes) {
    expect(Math.min(ticketsGiven, answers, sent)).toBeGreaterThan(BUYERS / 4);
    expect(broken).toBe(0);
  }
});

test("one of two is killed: its buyers go on at the other, and at most its open claims are unknown", {
  timeout: WAIT_MS,
}, async () => {
  const { answered, unknown, inversions, nodes } = await burst("--kill");
  expect(answered + unknown).toBe(BUYERS);
  expect(unknown).toBeLessThanOrEqual(SHARE);
  expect(inversions).toBe(0);
  const [killed, other] = nodes;
  expect(killed?.broken).toBeGreaterThan(0);
  expect(other?.broken).toBe(0);
  expect(other?.sentForOthers).toBeGreaterThan(0);
});

test("both are restarted, one after the other: all are served, in order and within the limit", {
  timeout: WAIT_MS,
}, async () => {
  const { answered, unknown, inversions, nodes } = await burst("--rolling");
  expect({ answered, unknown, inversions }).toEqual({ answered: BUYERS, unknown: 0, inversions: 0 });
  for (const { sent } of nodes) expect(sent).toBeGreaterThan(0);
});

test("one of two is killed on an idempotent route: nothing is unknown, and no seat is sold twice", {
  timeout: WAIT_MS,
}, async () => {
  const { answered, unknown } = await burst("--kill", "--idempotent");
  expect({ answered, unknown }).toEqual({ answered: BUYERS, unknown: 0 });
});
