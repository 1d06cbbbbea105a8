// The burst, whole, as `npm run demo:burst` runs it: 5,000 real clients within a second, at a shop that can serve 200.
// What is asserted is what the checker makes of the shop's file and the clients', and of nothing else.

import { expect, test } from "vitest";
import { burst, IN_FIVE_SECONDS, MAX_ACTIVE } from "../support/burst.ts";

const BUYERS = 5_000;
/** A burst takes under a minute; the machine may be busy. */
const WAIT_MS = 5 * 60_000;

test("5,000 come within a second: the shop alone fails most, through Usher all are answered, in order", {
  timeout: WAIT_MS,
}, async () => {
  const { direct, usher, picture } = await burst("--buyers", `${BUYERS}`);
  expect(usher).toMatchObject({
    answered: BUYERS,
    failed: 0,
    lost: 0,
    unknown: 0,
    answeredTwice: 0,
    inversions: 0,
    seatsSoldTwice: 0,
  });
  expect(usher.mostInFlight).toBeLessThanOrEqual(MAX_ACTIVE);
  expect(usher.worstFiveSeconds).toBeLessThanOrEqual(IN_FIVE_SECONDS);
  expect(direct.failed).toBeGreaterThan(BUYERS / 2);
  expect(picture).toContain("5,000 buyers");
});

test("killed halfway and started again: every number is kept, and at most the open claims are unknown", {
  timeout: WAIT_MS,
}, async () => {
  const { usher } = await burst("--buyers", `${BUYERS}`, "--kill");
  const { answered, unknown, failed, lost, answeredTwice, renumbered, numbersShared, unknownRepeated } =
    usher;
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
  const { usher } = await burst("--buyers", `${BUYERS}`, "--kill", "--idempotent");
  expect(usher).toMatchObject({ answered: BUYERS, unknown: 0, failed: 0, lost: 0, seatsSoldTwice: 0 });
});
