// What a buyer makes of an answer.

import { describe, expect, test } from "vitest";
import { read, told } from "../src/burst/reading.ts";
import { backoff_ms, retryAfter_ms } from "../src/burst/waiting.ts";
import type { WireAnswer } from "../src/burst/wire.ts";
import type { Purpose } from "../src/lines.ts";
import { Random } from "../src/random.ts";

const now_ms = Date.parse("2026-11-22T12:00:00Z");
const usher = "urn:usher:problem:some_reason";

function answer(status: number, headers: WireAnswer["headers"] = {}, body: unknown = {}): WireAnswer {
  return { status, headers, body: JSON.stringify(body) };
}

function problem(status: number, headers: WireAnswer["headers"] = {}, type: unknown = usher): WireAnswer {
  return answer(status, { "content-type": "application/problem+json; charset=utf-8", ...headers }, { type });
}

function meaning(to: Purpose, given: WireAnswer) {
  return read(to, given, told(given).problem, now_ms);
}

const answered = { kind: "final", outcome: "answered" };
const failed = { kind: "final", outcome: "failed" };
const unknown = { kind: "final", outcome: "unknown" };
const place = { location: "/_usher/tickets/t" };

describe("to a purchase", () => {
  test.each([
    ["201 is the answer", answer(201), answered],
    ["202 without a Location is the service's own answer", answer(202), answered],
    ["409, sold out, is the answer", answer(409), answered],
    [
      "202 with a Location is a ticket",
      answer(202, { ...place, "retry-after": "3" }),
      { kind: "ticket", after_ms: 3_000, ...place },
    ],
    [
      "202 with a Location and no time is a ticket to ask after in a second",
      answer(202, place),
      { kind: "ticket", after_ms: 1_000, ...place },
    ],
    ["303 is to be followed", answer(303, place), { kind: "follow", ...place }],
    ["400 is a failure", answer(400), failed],
    [
      "503 of the service is a failure, whatever it says of later",
      answer(503, { "retry-after": "1" }),
      failed,
    ],
    [
      "503 of Usher that says when is for later",
      problem(503, { "retry-after": "2" }),
      { kind: "later", after_ms: 2_000 },
    ],
    [
      "429 of Usher that says when is for later",
      problem(429, { "retry-after": "2" }),
      { kind: "later", after_ms: 2_000 },
    ],
    ["503 of Usher that does not say when is a failure", problem(503), failed],
    ["504 of the service is a failure", answer(504), failed],
    ["504 of somebody else's, as a problem, is a failure", problem(504, {}, "about:blank"), failed],
    ["504 of Usher is unknown", problem(504), unknown],
    ["502 of Usher is a failure", problem(502), failed],
  ])("%s", (_what, given, expected) => {
    expect(meaning("purchase", given)).toEqual(expected);
  });
});

describe("to a question after a ticket", () => {
  test.each([
    ["200 is not yet", answer(200, { "retry-after": "5" }), { kind: "wait", after_ms: 5_000 }],
    ["303 is to be followed", answer(303, place), { kind: "follow", ...place }],
    ["502 of Usher is a failure", problem(502), failed],
    ["504 of Usher is unknown", problem(504), unknown],
    ["410 is a failure: expired", problem(410), failed],
    ["404 is a failure", problem(404), failed],
    ["502 of something on the way says nothing", answer(502), { kind: "unclear" }],
    ["504 of something on the way says nothing", answer(504), { kind: "unclear" }],
    ["500 says nothing", answer(500), { kind: "unclear" }],
    ["503 is for later", answer(503), { kind: "later", after_ms: 1_000 }],
    ["429 is for later", answer(429, { "retry-after": "4" }), { kind: "later", after_ms: 4_000 }],
  ])("%s", (_what, given, expected) => {
    expect(meaning("ticket", given)).toEqual(expected);
  });
});

describe("where the answer is to be had", () => {
  test.each([
    ["the service's 201 is the answer", answer(201), answered],
    ["the service's 409 is the answer", answer(409), answered],
    ["the service's 500 is a failure", answer(500), failed],
    ["409 of Usher is too early", problem(409), { kind: "unclear" }],
    ["the service's 503 is a failure", answer(503, { "retry-after": "1" }), failed],
    [
      "503 of Usher that says when is for later",
      problem(503, { "retry-after": "1" }),
      { kind: "later", after_ms: 1_000 },
    ],
  ])("%s", (_what, given, expected) => {
    expect(meaning("response", given)).toEqual(expected);
  });
});

describe("an answer tells", () => {
  test("the ticket and the place, from a Status", () => {
    const ticket = { id: "purchases:e:17", number: 17, position: 4, state: "TICKET_STATE_WAITING" };
    expect(told(answer(202, {}, { ticket, asOf: "9" }))).toMatchObject({
      ticket: 17,
      id: "purchases:e:17",
      position: 4,
      problem: null,
    });
  });

  test("the ticket, from the header of an answer that waited", () => {
    const sale = { purchase: "p-1", seats: [3, 4] };
    const expected = { ticket: 17, purchase: "p-1", seats: [3, 4], position: null };
    expect(told(answer(201, { "usher-ticket": "17" }, sale))).toMatchObject(expected);
  });

  test.each(["", "{", "null", "[]", '"text"', '{"ticket":null,"seats":"all","purchase":7}'])(
    "nothing where its body is %j",
    (body) => {
      expect(told({ status: 200, headers: {}, body })).toEqual({
        ticket: null,
        id: "",
        position: null,
        problem: null,
        purchase: null,
        seats: [],
      });
    },
  );
});

describe("Retry-After", () => {
  test.each([
    ["0", 0],
    ["7", 7_000],
    ["Sun, 22 Nov 2026 12:00:09 GMT", 9_000],
    ["Sun, 22 Nov 2026 11:00:00 GMT", 0],
    ["1.5", undefined],
    ["-1", undefined],
    ["soon", undefined],
    [undefined, undefined],
  ])("%j is %j ms", (value, expected) => {
    expect(retryAfter_ms(value, now_ms)).toBe(expected);
  });
});

test("backoff grows to a bound, and is anything below it", () => {
  const random = new Random(1);
  for (const [failures, bound] of [
    [1, 100],
    [2, 200],
    [5, 1_600],
    [6, 2_000],
    [60, 2_000],
  ] as const) {
    const waits = Array.from({ length: 500 }, () => backoff_ms(failures, random));
    expect(Math.max(...waits)).toBeLessThan(bound);
    expect(Math.max(...waits)).toBeGreaterThan(bound * 0.9);
    expect(Math.min(...waits)).toBeLessThan(bound * 0.1);
  }
});
