// Several nodes that share a limit: what the checker makes of histories in which they did, or did not, keep to it.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boundsOf } from "../src/burst/checker/inversions.ts";
import { judge } from "../src/burst/checker/judge.ts";
import { check, type Report } from "../src/burst/checker.ts";
import { type HistoryDraft, type RequestDraft, render, shared, simulate } from "./history.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const buyers = 80;
const bounds = boundsOf(shared);
const room = 2;
const terms = { limit: shared, killed: false, idempotent: false };
const outOfTurn = "nobody comes out of turn";

function after(draft: HistoryDraft): Report {
  return check(render(draft), shared);
}

function breachesOf(report: Report, change: Partial<typeof terms> = {}): string[] {
  return judge(report, { ...terms, ...change }).map(({ promise }) => promise);
}

/** Those who waited and came by this door, in the order of their tickets. */
function waited(draft: HistoryDraft, ...doors: readonly number[]): RequestDraft[] {
  return draft.requests
    .filter(({ ticket, door }) => ticket !== null && doors.includes(door))
    .toSorted((one, other) => one.ticket! - other.ticket!);
}

/** Lets a request arrive when so many others of the line have. */
function delay(request: RequestDraft, line: readonly RequestDraft[], past: number): void {
  const arrived_ms = line[line.indexOf(request) + past]!.arrived_ms + 0.5;
  Object.assign(request, { arrived_ms, ended_ms: arrived_ms + 200 });
}

describe("two nodes", () => {
  test("that each keep to their share keep every promise, and are told apart", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const report = after(simulate(buyers, seed, false, 2));
        expect(report.findings.first).toEqual([]);
        expect(breachesOf(report)).toEqual([]);
        const [first, second] = report.nodes;
        expect(first!.sent + second!.sent).toBe(buyers);
        expect(first!.ticketsGiven + second!.ticketsGiven).toBe(buyers - 4);
        expect(first!.answers + second!.answers).toBe(buyers);
        for (const node of report.nodes) {
          expect(node.mostInFlight).toBeLessThanOrEqual(room);
          expect(node).toMatchObject({ sentForOthers: 0, broken: 0 });
          expect(node.questions).toBeGreaterThan(0);
        }
      }),
      { numRuns: 20 },
    );
  });

  test("of which one is killed keep the promises for that: the other sends what it has left", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const report = after(simulate(buyers, seed, true, 2));
        expect(report.findings.first).toEqual([]);
        expect(breachesOf(report, { killed: true })).toEqual([]);
        expect(report.unknown).toBeGreaterThan(0);
        expect(report.nodes[1]!.sentForOthers).toBeGreaterThan(0);
        expect(report.nodes[0]!.broken).toBeGreaterThan(0);
        expect(report.nodes[1]!.broken).toBe(0);
      }),
      { numRuns: 20 },
    );
  });

  test("of which one has more in flight than its share are found out, though both stay within the limit", () => {
    const draft = simulate(buyers, 1, false, 2);
    const [, , , one, , third] = waited(draft, 1);
    Object.assign(one!, { ended_ms: third!.arrived_ms + 1 });
    const report = after(draft);
    expect(report.nodes[0]!.mostInFlight).toBe(3);
    expect(report.mostInFlight).toBeLessThanOrEqual(shared.max_active);
    expect(breachesOf(report)).toEqual(["in flight through node 1: no more than its share"]);
  });
});

describe("what one node takes and sends itself", () => {
  const most = Math.floor(bounds.own);

  test("is out of turn when more than its share of what may be on its way came before", () => {
    const draft = simulate(buyers, 1, false, 2);
    const line = waited(draft, 1);
    delay(line[3]!, line, most + 1);
    const report = after(draft);
    expect(report).toMatchObject({ inversions: 1, mostAheadOwn: most + 1 });
    // All in all, no more were ahead than another node's request may have.
    expect(report.mostAhead).toBeLessThan(bounds.overall);
    expect(breachesOf(report)).toContain(outOfTurn);
  });

  test("is in turn when no more than that did, whatever the other node sent meanwhile", () => {
    const draft = simulate(buyers, 1, false, 2);
    const line = waited(draft, 1);
    delay(line[3]!, line, most);
    const report = after(draft);
    expect(report).toMatchObject({ inversions: 0, mostAheadOwn: most });
    expect(report.mostAhead).toBeGreaterThan(most);
  });
});

describe("what one node takes and the other sends", () => {
  /** A ticket of the first node that the second sends when so many of all higher ones have come. */
  function passedOn(past: number): Report {
    const draft = simulate(buyers, 1, false, 2);
    const request = waited(draft, 1)[3]!;
    const line = waited(draft, 1, 2);
    delay(request, line, past);
    Object.assign(request, { door: 2 });
    return after(draft);
  }

  test("is in turn within the half second and the lag", () => {
    const report = passedOn(bounds.overall);
    expect(report).toMatchObject({ inversions: 0, mostAhead: bounds.overall });
    expect(report.nodes[1]!.sentForOthers).toBe(1);
  });

  test("is out of turn beyond", () => {
    const report = passedOn(bounds.overall + 1);
    expect(report).toMatchObject({ inversions: 1, mostAhead: bounds.overall + 1 });
    expect(breachesOf(report)).toContain(outOfTurn);
  });
});

describe("who goes straight through a node", () => {
  /** The last buyer finds its way straight through a node, past those who wait at the first two: sent `after_ms` after
   * the 202 of one of the last, and at the shop long before it. A third node has nobody waiting. */
  function straightThrough(node: number, after_ms: number): Report {
    const draft = simulate(buyers, 1, false, 2);
    const holder = waited(draft, 1).at(-2)!;
    const last = waited(draft, 1, 2).at(-1)!;
    const ofLast = draft.events.filter(({ buyer }) => `buyer ${buyer}` === last.buyer);
    const told = draft.events.find(
      ({ kind, buyer }) => kind === "ticketed" && `buyer ${buyer}` === holder.buyer,
    );
    const sent_ms = told!.at_ms + after_ms;
    const purchase = ofLast.find((event) => event.kind === "answer" && event.status === 201)!;
    const its = { buyer: purchase.buyer, request: 1, to: "purchase", gateway: node } as const;
    Object.assign(last, { ticket: null, door: node, arrived_ms: sent_ms + 1, ended_ms: sent_ms + 200 });
    draft.events = draft.events.filter(({ buyer, kind }) => buyer !== its.buyer || kind === "scheduled");
    draft.events.push({ kind: "sent", at_ms: sent_ms, ...its });
    draft.events.push({ ...purchase, ...its, kind: "answer", at_ms: sent_ms + 202, ticket: null } as never);
    draft.events.push({
      ...{ kind: "outcome", at_ms: sent_ms + 203, buyer: its.buyer, outcome: "answered", status: 201 },
      purchase: last.purchase,
    });
    draft.events.sort((one, other) => one.at_ms - other.at_ms);
    const report = check(render(draft), { ...shared, nodes: 3 });
    expect(report.findings.first).toEqual([]);
    return report;
  }

  test("may pass a ticket of the other node for as long as a node may lag", () => {
    // The first 202 came up to 300 ms before that one.
    const report = straightThrough(3, 650);
    expect(report.inversions).toBe(0);
    expect(report.longestLead_ms).toBeGreaterThan(600);
  });

  test("is out of turn when it passed it by more", () => {
    const report = straightThrough(3, 1_500);
    expect(report.inversions).toBe(1);
    expect(report.longestLead_ms).toBeGreaterThan(1_000);
    expect(breachesOf(report)).toContain(outOfTurn);
  });

  test("may not pass a ticket of the same node at all", () => {
    const report = straightThrough(1, 100);
    expect(report.inversions).toBe(1);
    expect(breachesOf(report)).toContain(outOfTurn);
  });
});

describe("after the loss of a node", () => {
  test("more unknown than it may have claimed is a promise broken", () => {
    const draft = simulate(buyers, 1, true, 2);
    const { unknown } = after(draft);
    const answered = draft.events.filter(({ kind }) => kind === "outcome").slice(-(room - unknown + 1));
    for (const { buyer } of answered) {
      const told = draft.events.filter((event) => event.buyer === buyer);
      const redirect = told.find((event) => event.kind === "answer" && event.status === 303)!;
      draft.events = draft.events.filter((event) => event.buyer !== buyer || event.at_ms < redirect.at_ms);
      draft.events.push({ ...redirect, status: 504, problem: "urn:usher:problem:request_unknown" } as never);
      draft.events.push({
        ...{ kind: "outcome", at_ms: redirect.at_ms + 0.1, buyer, outcome: "unknown", status: 504 },
        purchase: null,
      });
    }
    draft.events.sort((one, other) => one.at_ms - other.at_ms);
    const report = after(draft);
    expect(report).toMatchObject({ unknown: room + 1, findings: { count: 0 } });
    expect(breachesOf(report, { killed: true })).toEqual([
      "unknown: no more than the killed node had claimed",
    ]);
  });

  test("nobody comes out of turn, but for what it had claimed where that may be sent again", () => {
    const late = (count: number): Report => {
      const draft = simulate(buyers, 1, true, 2);
      const line = waited(draft, 1, 2);
      const end_ms = Math.max(...draft.requests.map(({ ended_ms }) => ended_ms ?? 0));
      for (const [index, request] of line.slice(0, count).entries()) {
        const arrived_ms = end_ms + 10_000 + index * 1_000;
        Object.assign(request, { door: 2, arrived_ms, ended_ms: arrived_ms + 200 });
      }
      return after(draft);
    };
    const killed = { killed: true };
    expect(breachesOf(late(1), killed)).toContain(outOfTurn);
    expect(breachesOf(late(room), { ...killed, idempotent: true })).not.toContain(outOfTurn);
    expect(breachesOf(late(room + 1), { ...killed, idempotent: true })).toContain(outOfTurn);
  });

  test("an answer of a gateway that was not asked shows", () => {
    const draft = simulate(buyers, 1, true, 2);
    const poll = draft.events.find((event) => event.kind === "answer" && event.to === "ticket")!;
    Object.assign(poll, { gateway: 3 - (poll as { gateway: number }).gateway });
    expect(after(draft).findings.first.map(({ rule }) => rule)).toContain("missing");
  });
});
