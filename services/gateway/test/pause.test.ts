// How long a refused request is left alone: as long as the service asked for, within bounds, and never all alike.

import { create } from "@bufbuild/protobuf";
import { StoredResponseSchema } from "@usher/protocol/payload";
import { expect, test } from "vitest";
import { pause_ms } from "../src/dispatch/pause.ts";

const NOW_MS = Date.parse("2026-11-22T12:00:00Z");

/** What pauses come of it, of many. */
function pauses(attempt: number, headers?: Record<string, string>): { least: number; most: number } {
  const refusal =
    headers &&
    create(StoredResponseSchema, {
      status: 503,
      headers: Object.entries(headers).map(([name, value]) => ({ name, value: Buffer.from(value) })),
    });
  const all = Array.from({ length: 500 }, () => pause_ms(attempt, refusal, NOW_MS));
  expect(all.every(Number.isInteger)).toBe(true);
  expect(new Set(all).size, "they come back apart").toBeGreaterThan(all[0] === 0 ? 0 : 1);
  return { least: Math.min(...all), most: Math.max(...all) };
}

function between(found: { least: number; most: number }, least: number, most: number): void {
  expect(found.least).toBeGreaterThanOrEqual(least);
  expect(found.most).toBeLessThanOrEqual(most);
}

test("without a word of the service it doubles, up to half a minute", () => {
  between(pauses(1), 800, 1_200);
  between(pauses(2), 1_600, 2_400);
  between(pauses(5, { date: "Sun, 22 Nov 2026 12:00:00 GMT" }), 12_800, 19_200);
  between(pauses(6), 24_000, 36_000);
  between(pauses(100), 24_000, 36_000);
});

test.each([
  ["seconds", { "Retry-After": "7" }, 7_000],
  ["seconds with spaces", { "retry-after": " 7 " }, 7_000],
  [
    "a date, by the service's own clock",
    { "retry-after": "Sun, 22 Nov 2026 12:00:17 GMT", date: "Sun, 22 Nov 2026 12:00:10 GMT" },
    7_000,
  ],
  ["a date, without one", { "retry-after": "Sun, 22 Nov 2026 12:00:07 GMT" }, 7_000],
  ["more than it is believed", { "retry-after": "999999999" }, 120_000],
  ["a date in a year", { "retry-after": "Mon, 22 Nov 2027 12:00:00 GMT" }, 120_000],
])("what the service asks for in %s is waited out, and a little more", (_, headers, asked_ms) => {
  between(pauses(3, headers), asked_ms, asked_ms * 1.1);
});

test.each([["0"], ["Sun, 22 Nov 2026 11:00:00 GMT"]])("%s is at once", (value) => {
  between(pauses(3, { "retry-after": value }), 0, 0);
});

test.each([
  ["soon"],
  ["-1"],
  ["1.5"],
  ["1e3"],
  [""],
  ["9999999999"],
  ["2026-11-22"],
  ["Sun, 99 Foo 2026 12:00:00 GMT"],
])("%s is no time, and as if nothing had been said", (value) => {
  between(pauses(1, { "retry-after": value }), 800, 1_200);
});
