// What the report makes of logs: of those that a node would write, and of those that none would.

import { QueueKind, QueueMode, ReleaseReason } from "@usher/protocol/log";
import { describe, expect, test } from "vitest";
import { ReportError } from "../src/log.ts";
import { Report, type Row } from "../src/report.ts";
import { heading, json, quantile, text } from "../src/table.ts";
import { emptyTally } from "../src/tally.ts";
import { Scribe } from "./records.ts";

function rowsOf({ log }: Scribe): { rows: Row[]; report: Report } {
  const rows: Row[] = [];
  const report = new Report((row) => rows.push(row));
  for (const value of log) report.read(value);
  report.close();
  return { rows, report };
}

/** The only row. */
function only(scribe: Scribe): Row {
  const { rows } = rowsOf(scribe);
  expect(rows).toHaveLength(1);
  return rows[0]!;
}

/** All rows added up. */
function total(
  scribe: Scribe,
): Pick<Row, "tickets" | "answered" | "failed" | "unknown" | "left" | "expired"> {
  const { rows } = rowsOf(scribe);
  const sum = (part: (row: Row) => number) => rows.reduce((all, row) => all + part(row), 0);
  return {
    tickets: sum(({ tickets }) => tickets),
    answered: [sum(({ answered }) => answered.reduce((one, other) => one + other))],
    failed: sum(({ failed }) => failed),
    unknown: sum(({ unknown }) => unknown),
    left: sum(({ left }) => left),
    expired: sum(({ expired }) => expired),
  };
}

const begun = () => new Scribe().configure(1);

describe("a minute of a queue", () => {
  test("tells tickets, waits and answers by status", () => {
    const scribe = begun().issue().issue().issue().pass(2).claim(1).pass(2).claim(2).claim(3);
    const row = only(scribe.answer(1, 201).answer(2, 409).answer(3, 500));
    expect(row).toMatchObject({ minute: "2026-11-22T20:00Z", queue: "orders", tickets: 3, claimed: 3 });
    expect(row.waits_ms).toEqual([2_000, 4_000, 4_000]);
    expect(row.answered.slice(2, 6)).toEqual([1, 0, 1, 1]);
  });

  test("is told when it is over, and those in which nothing happened are not", () => {
    const scribe = begun().issue().pass(200).claim(1);
    const { rows } = rowsOf(scribe);
    expect(rows.map(({ minute, tickets, claimed }) => [minute, tickets, claimed])).toEqual([
      ["2026-11-22T20:00Z", 1, 0],
      ["2026-11-22T20:03Z", 0, 1],
    ]);
  });

  test("is not turned back by a writer whose clock is behind", () => {
    const scribe = begun().pass(65).issue().turnClock(-30).issue();
    expect(rowsOf(scribe).rows.map(({ minute, tickets }) => [minute, tickets])).toEqual([
      ["2026-11-22T20:01Z", 2],
    ]);
  });

  test("counts no wait below nothing, where two writers' clocks differ", () => {
    expect(only(begun().issue().turnClock(-5).claim(1)).waits_ms).toEqual([0]);
  });
});

describe("who asks again", () => {
  test("under the same key has the same ticket, and is refused with another request", () => {
    const row = only(
      begun().issue("k", { digest: "a" }).issue("k", { digest: "a" }).issue("k", { digest: "b" }),
    );
    expect(row).toMatchObject({ tickets: 1, again: 1, refused: 1 });
  });

  test("gets a new ticket when the old one has ended and been forgotten, and its number is the next", () => {
    const scribe = begun()
      .issue("k")
      .claim(1)
      .answer(1, 200)
      .pass(119)
      .issue("k")
      .pass(1)
      .issue("k")
      .claim(2);
    expect(total(scribe)).toMatchObject({ tickets: 2 });
    expect(rowsOf(scribe).rows.at(-1)).toMatchObject({ tickets: 1, claimed: 1 });
  });

  test("for the same subject has the same ticket while that is live", () => {
    const pass = new Scribe().configure(1, { kind: QueueKind.PASS });
    const taken = { stored: false, subject: "ann" };
    const row = only(pass.issue("", taken).issue("", taken).complete(1).issue("", taken));
    expect(row).toMatchObject({ tickets: 2, again: 1, completed: 1 });
  });

  test("at a closed queue is refused, and has no number", () => {
    const scribe = begun().issue().configure(2, { mode: QueueMode.CLOSED }).issue();
    const row = only(scribe.configure(3).issue().claim(2));
    expect(row).toMatchObject({ tickets: 2, refused: 1, claimed: 1 });
  });
});

describe("a stored request", () => {
  test("is claimed once: the first claim of an attempt counts", () => {
    expect(only(begun().issue().claim(1).claim(1).claim(1, 3).answer(1, 200))).toMatchObject({
      claimed: 1,
      waits_ms: [0],
    });
  });

  test("that the service refused is tried again, and fails when its attempts are used up", () => {
    const scribe = begun().issue().claim(1).release(1, 1, ReleaseReason.REFUSED);
    expect(total(scribe)).toMatchObject({ failed: 0 });
    expect(total(scribe.claim(1, 2).release(1, 2, ReleaseReason.NOT_CONNECTED))).toMatchObject({ failed: 1 });
  });

  test("that an operator has tried again may be claimed as often once more", () => {
    const scribe = begun().issue().claim(1).release(1, 1, ReleaseReason.REFUSED);
    scribe.claim(1, 2).release(1, 2, ReleaseReason.REFUSED).retry(1);
    scribe.claim(1, 3).release(1, 3, ReleaseReason.REFUSED).claim(1, 4).answer(1, 200, 4);
    expect(total(scribe)).toMatchObject({ failed: 1, answered: [1] });
  });

  test("that is lost on the way is unknown, unless it may be sent again", () => {
    const lost = (idempotent: boolean) =>
      begun().issue().claim(1, 1, idempotent).release(1, 1, ReleaseReason.LOST);
    expect(total(lost(false))).toMatchObject({ unknown: 1 });
    expect(total(lost(true).claim(1, 2, true).answer(1, 200, 2))).toMatchObject({
      unknown: 0,
      answered: [1],
    });
  });

  test("that nobody answers in time is unknown, and answered when the answer comes late", () => {
    const scribe = begun().issue().claim(1).pass(60);
    expect(total(scribe)).toMatchObject({ unknown: 1, answered: [0] });
    expect(total(scribe.answer(1, 200))).toMatchObject({ unknown: 1, answered: [1] });
    expect(total(scribe.answer(1, 200))).toMatchObject({ answered: [1] });
    const within = begun().issue().claim(1).pass(11).answer(1, 200);
    expect(total(within)).toMatchObject({ unknown: 1, answered: [1] });
  });

  test("whose contents are gone fails", () => {
    expect(total(begun().issue().claim(1).release(1, 1, ReleaseReason.PAYLOAD_GONE))).toMatchObject({
      failed: 1,
    });
  });

  test("that nobody claims as long as it may wait expires, and a pause does not count", () => {
    const waiting = begun().issue().pass(599);
    expect(total(waiting.pass(61))).toMatchObject({ expired: 1 });
    const paused = begun().issue().configure(2, { mode: QueueMode.PAUSED }).pass(700).configure(3);
    expect(total(paused)).toMatchObject({ expired: 0 });
  });

  test("may be given up until it is claimed", () => {
    const row = only(begun().issue().issue().claim(1).leave(1).pass(1).leave(2).leave(2));
    expect(row).toMatchObject({ left: 1, waits_ms: [0, 1_000] });
  });
});

describe("a log", () => {
  test("counts no record twice, none of a strange or a closed session, and nothing that is damaged", () => {
    const scribe = begun().issue().repeat();
    scribe.append({ case: "ticketIssued", value: { queue: "orders" } }, { session: 99n });
    scribe.open(8n, 7n).issue();
    scribe.append({ case: "ticketIssued", value: { queue: "orders" } }, { session: 7n, sequence: 1_000 });
    scribe.log.push(Buffer.from("not a record"), scribe.log.at(-1)!.slice(0, -1), new Uint8Array());
    const { rows, report } = rowsOf(scribe);
    expect(rows[0]).toMatchObject({ tickets: 2 });
    expect(report.passedOver).toEqual({ ignored: 3, damaged: 3 });
  });

  test("has its time from the timekeeper alone", () => {
    const scribe = begun().issue().claim(1);
    for (let tick = 0; tick < 100; tick++)
      scribe.append({ case: "tick", value: { term: 2, elapsedMs: 1_000 } });
    expect(total(scribe)).toMatchObject({ unknown: 0 });
  });

  test("of a newer format is no log to guess at", () => {
    const newer = begun().append({ case: "ticketIssued", value: { queue: "orders" } }, { level: 9 });
    expect(() => rowsOf(newer)).toThrow(ReportError);
    const strange = begun().append({ case: "ticketIssued", value: {} }, { level: 9, session: 99n });
    expect(rowsOf(strange).report.passedOver).toEqual({ ignored: 1, damaged: 0 });
  });

  test("that does not begin at its beginning is none to report on", () => {
    const scribe = begun();
    scribe.log.shift();
    expect(() => rowsOf(scribe)).toThrow("does not begin at its beginning");
  });
});

describe("rows", () => {
  const row: Row = {
    ...emptyTally(),
    minute: "2026-11-22T20:00Z",
    queue: "a-queue-with-a-very-long-name",
    tickets: 1_234,
    waits_ms: [100, 900, 2_000],
    answered: [0, 0, 7, 0, 2, 0, 0, 0, 0, 0],
  };

  test("stand under their headings", () => {
    expect(text(row)).toContain("1,234");
    expect(text(row)).toContain("0.9 s");
    expect(heading.indexOf("tickets") + "tickets".length).toBe(text(row).indexOf("1,234") + "1,234".length);
    expect(text({ ...row, ...emptyTally() })).toMatch(/^2026-11-22T20:00Z a-queue-with-a-very- +(· +)+·$/);
  });

  test("are JSON for programs", () => {
    expect(JSON.parse(json(row))).toMatchObject({
      queue: row.queue,
      wait_p50_ms: 900,
      wait_p90_ms: 2_000,
      answered: { "2xx": 7, "4xx": 2 },
    });
    expect(JSON.parse(json({ ...row, ...emptyTally() }))).toMatchObject({ wait_p50_ms: null });
  });

  test("have as a quantile the smallest wait that so many are at or below", () => {
    expect(quantile([], 0.5)).toBeUndefined();
    expect(quantile([3, 1, 2, 4], 0.5)).toBe(2);
    expect(quantile([3, 1, 2, 4], 0.9)).toBe(4);
  });
});
