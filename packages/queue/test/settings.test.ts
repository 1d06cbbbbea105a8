import { expect, test } from "vitest";
import { NOTICE_LENGTH_MAX, SETTINGS_BOUNDS, type Settings, settingsProblems } from "../src/index.ts";
import { SETTINGS } from "./log.ts";

const NUMBERS = Object.entries(SETTINGS_BOUNDS) as [
  keyof typeof SETTINGS_BOUNDS,
  readonly [number, number],
][];

function problems(settings: Partial<Settings>): string[] {
  return settingsProblems({ ...SETTINGS, rate_thousandths: 1_000, ...settings });
}

test.each(NUMBERS)(
  "%s is taken within its bounds, and named in the problem outside of them",
  (name, [least, most]) => {
    expect(problems({ [name]: least })).toEqual([]);
    expect(problems({ [name]: most })).toEqual([]);
    for (const wrong of [least - 1 || -1, most + 1, 1.5, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(problems({ [name]: wrong })).toEqual([expect.stringContaining(`${name}: ${wrong} `)]);
    }
  },
);

test("a queue has a limit of rate or of room, or both", () => {
  expect(problems({ rate_thousandths: 0, max_active: 1 })).toEqual([]);
  expect(problems({ rate_thousandths: 1, max_active: 0 })).toEqual([]);
  expect(problems({ rate_thousandths: 0, max_active: 0 })).toEqual([expect.stringContaining("neither")]);
});

test("a notice may be as long as its limit, and no longer", () => {
  expect(problems({ notice: "x".repeat(NOTICE_LENGTH_MAX) })).toEqual([]);
  expect(problems({ notice: "x".repeat(NOTICE_LENGTH_MAX + 1) })).toEqual([
    expect.stringContaining("notice"),
  ]);
});

test("all mistakes are told at once", () => {
  expect(problems({ max_wait_ms: 0, attempts: 0, session_ms: -1 })).toHaveLength(3);
});
