// What the checker makes of histories that went wrong: files that are whole, and tell of something that must not be.
// Every change here is one that a wrong Usher, shop or buyer could really have brought about.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judge } from "../src/burst/checker/judge.ts";
import { check, type Report } from "../src/burst/checker.ts";
import { type EventDraft, type HistoryDraft, limit, type RequestDraft, render, simulate } from "./history.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const part = fc.nat({ max: 99_999 }).map((nat) => nat / 100_000);
const buyers = 24;
/** max_active and one burst. */
const slack = limit.max_active + limit.rate_per_second * 0.2;

function pick<T>(from: readonly T[], at: number): T {
  return from[Math.floor(at * from.length)]!;
}

/** What the checker says of a simulated history after a change. */
function after(draft: HistoryDraft): Report {
  return check(render(draft), limit);
}

function breachesOf(draft: HistoryDraft, killed = false): string[] {
  const terms = { limit, killed, idempotent: false };
  return judge(after(draft), terms).map(({ promise }) => promise);
}

const rulesOf = (report: Report): string[] => report.findings.first.map(({ rule }) => rule);

/** Buyers who waited, in the order of their tickets. */
function waited(draft: HistoryDraft): RequestDraft[] {
  return draft.requests
    .filter(({ ticket }) => ticket !== null)
    .toSorted((one, other) => one.ticket! - other.ticket!);
}

describe("an event that did not happen", () => {
  test("shows, whatever buyer and whatever event", () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), part, (seed, killed, at) => {
        const draft = simulate(buyers, seed, killed);
        draft.events.splice(Math.floor(at * draft.events.length), 1);
        expect(after(draft).findings.count).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  test("makes its buyer lost when it is the last one's answer and outcome", () => {
    fc.assert(
      fc.property(seeds, part, (seed, at) => {
        const draft = simulate(buyers, seed);
        const { buyer } = pick(draft.events, at);
        const last = draft.events.findLast((event) => event.kind === "answer" && event.buyer === buyer);
        draft.events = draft.events.filter(
          (event) => event !== last && !(event.kind === "outcome" && event.buyer === buyer),
        );
        expect(after(draft)).toMatchObject({ answered: buyers - 1, lost: 1, soldUnheard: 1 });
        expect(breachesOf(draft)).toContain("nobody is lost");
      }),
    );
  });

  test("makes its buyer lost when the buyer is not in the file at all", () => {
    const draft = simulate(buyers, 1);
    draft.events = draft.events.filter(({ buyer }) => buyer !== 7);
    const report = after(draft);
    expect(report).toMatchObject({ answered: buyers - 1, lost: 1 });
    expect(rulesOf(report)).toEqual(expect.arrayContaining(["missing", "contradiction"]));
  });

  test("at the shop shows, because its buyer has an answer that nobody gave", () => {
    fc.assert(
      fc.property(seeds, part, (seed, at) => {
        const draft = simulate(buyers, seed);
        draft.requests.splice(Math.floor(at * draft.requests.length), 1);
        expect(rulesOf(after(draft))).toContain("contradiction");
      }),
    );
  });
});

describe("an event that happened twice", () => {
  test("shows, whatever buyer and whatever event", () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), part, part, (seed, killed, at, later) => {
        const draft = simulate(buyers, seed, killed);
        const index = Math.floor(at * draft.events.length);
        const event = draft.events[index]!;
        const place = index + 1 + Math.floor(later * (draft.events.length - index));
        const at_ms = (draft.events[place - 1]?.at_ms ?? 0) + 0.0005;
        draft.events.splice(place, 0, { ...event, at_ms });
        expect(after(draft).findings.count).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  test("counts as answered twice when a purchase was carried out again", () => {
    fc.assert(
      fc.property(seeds, part, (seed, at) => {
        const draft = simulate(buyers, seed);
        const once = pick(draft.requests, at);
        draft.requests.push(again(draft, once, { purchase: "p-again", seats: [buyers + 1] }));
        expect(after(draft)).toMatchObject({ answeredTwice: 1, seatsSoldTwice: 0, answered: buyers });
        expect(breachesOf(draft)).toContain("nobody is answered twice");
      }),
    );
  });

  test("counts as a seat sold twice when another purchase got the same seat", () => {
    fc.assert(
      fc.property(seeds, part, (seed, at) => {
        const draft = simulate(buyers, seed);
        const once = pick(draft.requests, at);
        draft.requests.push(again(draft, once, { purchase: "p-again", seats: once.seats }));
        expect(after(draft)).toMatchObject({ answeredTwice: 1, seatsSoldTwice: 1 });
        expect(breachesOf(draft)).toContain("no seat is sold twice");
      }),
    );
  });

  test("shows when one purchase was made by two requests", () => {
    const draft = simulate(buyers, 1);
    draft.requests.push(again(draft, draft.requests[3]!, {}));
    expect(rulesOf(after(draft))).toContain("repeated");
  });

  test("is no fault when the shop only told the same purchase again", () => {
    const draft = simulate(buyers, 1);
    draft.requests.push(again(draft, draft.requests[3]!, { replay: true }));
    expect(after(draft)).toMatchObject({ answeredTwice: 0, seatsSoldTwice: 0, findings: { count: 0 } });
  });

  test("shows when the shop told again what that key never bought", () => {
    const draft = simulate(buyers, 1);
    const { purchase, seats } = draft.requests[4]!;
    draft.requests.push(again(draft, draft.requests[3]!, { replay: true, purchase, seats }));
    expect(rulesOf(after(draft))).toEqual(["impossible"]);
  });

  test("counts as answered twice when a buyer was told two different ends", () => {
    const draft = simulate(buyers, 1);
    const last = draft.events.findLast((event) => event.kind === "answer" && event.buyer === 2)!;
    draft.events.push({ ...last, at_ms: last.at_ms + 60_000, purchase: "p-other" } as EventDraft);
    expect(after(draft).answeredTwice).toBe(1);
  });

  test("counts against an unknown purchase that reached the shop more than once", () => {
    const draft = simulate(buyers, 1, true);
    const buyer = draft.events.find(
      (event) => event.kind === "outcome" && event.outcome === "unknown",
    )!.buyer;
    const once = draft.requests.find((request) => request.buyer === `buyer ${buyer}`)!;
    draft.requests.push(again(draft, once, { status: 503, purchase: null, seats: [] }));
    expect(after(draft)).toMatchObject({ unknownRepeated: 1, answeredTwice: 0 });
    expect(breachesOf(draft, true)).toEqual(["an unknown purchase reaches the shop once"]);
  });
});

/** The same request, when all others are over. */
function again(draft: HistoryDraft, once: RequestDraft, change: Partial<RequestDraft>): RequestDraft {
  const end_ms = Math.max(...draft.requests.map(({ ended_ms }) => ended_ms ?? 0));
  return { ...once, arrived_ms: end_ms + 1_000, ended_ms: end_ms + 1_200, ...change };
}

describe("an event at another time", () => {
  test("is an inversion when more than max_active and a burst of higher numbers came before", () => {
    fc.assert(
      fc.property(seeds, part, part, (seed, at, by) => {
        const draft = simulate(buyers, seed);
        const line = waited(draft);
        const from = Math.floor(at * (line.length - slack - 1));
        const past = slack + 1 + Math.floor(by * (line.length - from - slack - 1));
        delay(line[from]!, line[from + past]!.arrived_ms + 0.5);
        expect(after(draft).inversions).toBe(1);
        expect(breachesOf(draft)).toContain("nobody comes out of turn");
      }),
    );
  });

  test("is no inversion when it was passed by no more than may be on their way at once", () => {
    fc.assert(
      fc.property(seeds, part, part, (seed, at, by) => {
        const draft = simulate(buyers, seed);
        const line = waited(draft);
        const past = 1 + Math.floor(by * slack);
        const from = Math.floor(at * (line.length - past));
        delay(line[from]!, line[from + past]!.arrived_ms + 0.5);
        expect(after(draft).inversions).toBe(0);
      }),
    );
  });

  test("is an inversion when a request without a ticket, sent after a 202, came before that one", () => {
    fc.assert(
      fc.property(seeds, part, (seed, at) => {
        const draft = simulate(buyers, seed);
        const line = waited(draft);
        // The last one finds its way straight through, just before one who has waited since before it came.
        const last = line.at(-1)!;
        const before = line[Math.floor(at * (line.length - 1))]!;
        const arrived_ms = before.arrived_ms - 0.5;
        const told = draft.events.find(
          (event) => event.kind === "ticketed" && `buyer ${event.buyer}` === before.buyer,
        )!;
        const sent = draft.events.find(
          (event) => event.kind === "sent" && `buyer ${event.buyer}` === last.buyer,
        )!;
        fc.pre(told.at_ms < sent.at_ms && sent.at_ms < arrived_ms);
        Object.assign(last, { ticket: null, arrived_ms, ended_ms: arrived_ms + 200 });
        expect(after(draft).inversions).toBe(1);
      }),
    );
  });

  test("shows when a request reached the shop before anybody sent it", () => {
    fc.assert(
      fc.property(seeds, part, (seed, at) => {
        const draft = simulate(buyers, seed);
        const request = pick(draft.requests, at);
        Object.assign(request, { arrived_ms: request.arrived_ms - 60_000 });
        expect(rulesOf(after(draft))).toContain("contradiction");
      }),
    );
  });

  test("shows when an answer came before the shop had given it", () => {
    fc.assert(
      fc.property(seeds, part, (seed, at) => {
        const draft = simulate(buyers, seed);
        const request = pick(draft.requests, at);
        delay(request, request.arrived_ms + 60_000);
        expect(rulesOf(after(draft))).toContain("contradiction");
      }),
    );
  });

  test("shows as too many in flight, and as too many in five seconds, when all came at once", () => {
    const draft = simulate(200, 1);
    for (const [index, request] of draft.requests.entries()) {
      delay(request, draft.requests[0]!.arrived_ms + index);
    }
    const report = after(draft);
    expect(report.mostInFlight).toBeGreaterThan(150);
    expect(report).toMatchObject({ worstSecond: 200, worstFiveSeconds: 200 });
    expect(breachesOf(draft)).toEqual(
      expect.arrayContaining([
        "in flight at the shop: no more than max_active",
        "in any 5 s: 5 × rate and two bursts",
      ]),
    );
  });

  test("shows when an answer, a ticket or an outcome was another buyer's", () => {
    fc.assert(
      fc.property(seeds, part, part, (seed, at, other) => {
        const draft = simulate(buyers, seed);
        const told = draft.events.filter(({ kind }) => ["answer", "ticketed", "outcome"].includes(kind));
        const one = pick(told, at);
        const two = pick(
          told.filter(({ kind, buyer }) => kind === one.kind && buyer !== one.buyer),
          other,
        );
        const { buyer } = one;
        Object.assign(one, { buyer: two.buyer });
        Object.assign(two, { buyer });
        const report = after(draft);
        expect(report.findings.count + report.renumbered).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });
});

function delay(request: RequestDraft, arrived_ms: number): void {
  Object.assign(request, { arrived_ms, ended_ms: arrived_ms + 200 });
}

describe("a ticket number", () => {
  test("shows when a buyer's was another one later", () => {
    const draft = simulate(buyers, 1);
    const poll = draft.events.findLast((event) => event.kind === "answer" && event.buyer === 20);
    Object.assign(poll!, { ticket: 999 });
    expect(after(draft).renumbered).toBe(1);
    expect(breachesOf(draft)).toContain("a buyer's number stays the same");
  });

  test("shows when the shop saw another one than the buyer", () => {
    const draft = simulate(buyers, 1);
    const [one, two] = waited(draft);
    const ticket = one!.ticket;
    Object.assign(one!, { ticket: two!.ticket });
    Object.assign(two!, { ticket });
    expect(after(draft)).toMatchObject({ renumbered: 2, numbersShared: 2 });
  });

  test("shows when nobody has it", () => {
    const draft = simulate(buyers, 1);
    renumber(draft, 5, 500);
    expect(after(draft)).toMatchObject({ numbersMissing: 500 - 20, renumbered: 0 });
    expect(breachesOf(draft)).toContain("ticket numbers have no gaps");
  });

  test("shows when two buyers have it", () => {
    const draft = simulate(buyers, 1);
    renumber(draft, 20, 19);
    expect(after(draft)).toMatchObject({ numbersShared: 1, renumbered: 0 });
    expect(breachesOf(draft)).toContain("a ticket number is one buyer's");
  });

  test("shows when the buyer has one and the shop was not told", () => {
    const draft = simulate(buyers, 1);
    Object.assign(waited(draft).at(-1)!, { ticket: null });
    expect(rulesOf(after(draft))).toEqual(["contradiction"]);
  });
});

/** Gives the holder of one number another one, everywhere. */
function renumber(draft: HistoryDraft, from: number, to: number): void {
  for (const request of draft.requests) if (request.ticket === from) Object.assign(request, { ticket: to });
  for (const event of draft.events) {
    if (event.kind === "answer" && event.ticket === from) Object.assign(event, { ticket: to });
    if (event.kind === "ticketed" && event.number === from) Object.assign(event, { number: to });
  }
}

describe("an answer", () => {
  test("shows when the shop gave that buyer another one", () => {
    fc.assert(
      fc.property(seeds, part, fc.constantFrom({ purchase: "p-x" }, { seats: [99] }), (seed, at, change) => {
        const draft = simulate(buyers, seed);
        const finals = draft.events.filter((event) => event.kind === "answer" && event.status === 201);
        Object.assign(pick(finals, at), change);
        expect(rulesOf(after(draft))).toContain("contradiction");
      }),
    );
  });

  test("shows when the shop has it for a stranger", () => {
    const draft = simulate(buyers, 1);
    draft.requests.push(again(draft, draft.requests[0]!, { key: "stranger", purchase: "p-x", seats: [99] }));
    expect(rulesOf(after(draft))).toEqual(["contradiction"]);
  });

  test("of failure counts as failed, and is checked against the shop", () => {
    const draft = simulate(buyers, 1);
    for (const event of draft.events) {
      if (event.buyer !== 1 || (event.kind !== "answer" && event.kind !== "outcome")) continue;
      Object.assign(event, { status: 503, purchase: null, seats: [] });
      if (event.kind === "outcome") Object.assign(event, { outcome: "failed" });
    }
    expect(after(draft)).toMatchObject({ answered: buyers - 1, failed: 1, soldUnheard: 1 });
    expect(rulesOf(after(draft))).toEqual(["contradiction"]);
    Object.assign(draft.requests[0]!, { status: 503, purchase: null, seats: [] });
    expect(after(draft)).toMatchObject({ failed: 1, soldUnheard: 0, findings: { count: 0 } });
    expect(breachesOf(draft)).toContain("nothing fails");
  });

  test("of Usher's own needs no line of the shop", () => {
    const draft = simulate(buyers, 1);
    const last = draft.events.findLast((event) => event.kind === "answer" && event.buyer === 20)!;
    draft.events = draft.events.filter((event) => event !== last);
    for (const event of draft.events) {
      if (event.buyer !== 20 || event.at_ms < last.at_ms) continue;
      Object.assign(event, { outcome: "failed", status: 502, purchase: null });
    }
    const problem = "urn:usher:problem:request_failed";
    draft.events.push({ ...last, status: 502, problem, purchase: null, seats: [] } as EventDraft);
    draft.events.sort((one, other) => one.at_ms - other.at_ms);
    draft.requests = draft.requests.filter(({ buyer }) => buyer !== "buyer 20");
    expect(after(draft)).toMatchObject({ answered: buyers - 1, failed: 1, findings: { count: 0 } });
  });
});

describe("what cannot be told from the files", () => {
  test("is a poll that never was, with everything about it", () => {
    const draft = simulate(buyers, 1);
    const poll = draft.events.find(
      (event) => event.kind === "answer" && event.to === "ticket" && event.status === 200,
    )!;
    const { buyer, request } = poll as { buyer: number; request: number };
    draft.events = draft.events.filter(
      (event) => event.buyer !== buyer || !("request" in event) || event.request !== request,
    );
    for (const event of draft.events) {
      if (event.buyer !== buyer || !("request" in event) || event.request < request) continue;
      Object.assign(event, { request: event.request - 1 });
    }
    expect(after(draft)).toMatchObject({ answered: buyers, findings: { count: 0 } });
  });

  test("is whether an unknown purchase reached the shop: both is what unknown means", () => {
    const draft = simulate(buyers, 1, true);
    const gone = draft.events.find((event) => event.kind === "outcome" && event.outcome === "unknown")!;
    draft.requests = draft.requests.filter(({ buyer }) => buyer !== `buyer ${gone.buyer}`);
    expect(after(draft).findings.count).toBe(0);
    expect(breachesOf(draft, true)).toEqual([]);
  });

  test("is which of two neighbours at the shop was first", () => {
    const draft = simulate(buyers, 1);
    const line = waited(draft);
    const first_ms = line[4]!.arrived_ms;
    delay(line[4]!, line[5]!.arrived_ms);
    delay(line[5]!, first_ms);
    expect(after(draft)).toMatchObject({ inversions: 0, findings: { count: 0 } });
  });
});
