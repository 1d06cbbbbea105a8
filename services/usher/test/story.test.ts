// A ticket's story, as the log tells it.

import type { Settings } from "@usher/queue";
import { describe, expect, test } from "vitest";
import { Story } from "../src/cli/ticket/story.ts";
import { standing, storyText, waitsOf } from "../src/cli/ticket/words.ts";
import { QUEUE, ToldLog } from "./support/told-log.ts";

function follow(number: number, settings: Partial<Settings> = {}) {
  const story = new Story(QUEUE, number);
  const log = new ToldLog((folded, fold) => story.see(folded, fold), settings);
  return { story, log };
}

/** What happened, in order, with the details that are named. */
function told({ events }: Story, ...details: string[]): string[] {
  return events.map(({ what, details: all }) =>
    [what, ...details.flatMap((name) => (name in all ? [`${name}=${all[name]}`] : []))].join(" "),
  );
}

describe("a ticket's story", () => {
  test("goes from the issue by the turn and the claim to the answer, with who wrote what, where and when", () => {
    const { story, log } = follow(2);
    log.issue();
    log.claim(1);
    log.sleep(2_000);
    const issued = log.offset;
    log.issue({ key: 7, digest: 1 });
    log.sleep(3_000);
    const admitted = log.offset;
    log.answer(1);
    log.write({ kind: "session_opened", former: 0n, node: "bob" }, 2n);
    log.claim(2, 1, 2n);
    log.sleep(1_500);
    log.answer(2, 1, 201);
    expect(story.events).toMatchObject([
      {
        what: "issued",
        offset: issued,
        log_time_ms: 2_000,
        wall_ms: Date.UTC(2026, 10, 1) + issued,
        node: "ann",
        details: { position: 1, waiting: 1, stored_request: true, key: true, subject: false },
      },
      {
        what: "admitted",
        offset: admitted,
        log_time_ms: 5_000,
        details: { by: "request_answered", of: 1, position: 1 },
      },
      { what: "claimed", node: "bob", details: { attempt: 1, timeout_ms: 1_000, idempotent: false } },
      { what: "answered", log_time_ms: 6_500, details: { attempt: 1, status: 201 } },
    ]);
    expect(waitsOf(story)).toEqual({ to_admission_ms: 3_000, to_claim_ms: 0, to_end_ms: 4_500 });
    expect(standing(story)).toBe("answered");
  });

  test("names the tick that brought the turn, and the place before it", () => {
    const { story, log } = follow(3, { rate_thousandths: 10_000, max_active: 0 });
    for (let n = 0; n < 3; n++) log.issue();
    log.sleep(1_000);
    log.sleep(100);
    log.sleep(200);
    expect(told(story, "by", "term", "position")).toEqual([
      "issued position=3",
      "admitted by=tick term=1 position=2",
    ]);
    const [, admitted] = story.events;
    expect(admitted).toMatchObject({ offset: log.offset - 2, log_time_ms: 1_300 });
  });

  test("tells a turn that a backend's Admit brought, and one at the moment of the issue", () => {
    const { story, log } = follow(2, { mode: "paused", max_active: 5 });
    for (let n = 0; n < 3; n++) log.issue();
    log.write({ kind: "admit_requested", queue: QUEUE, request_id: "60".repeat(16), who: { number: 2 } });
    expect(told(story, "by", "position")).toEqual([
      "issued position=2",
      "admitted by=admit_requested position=2",
    ]);
    const other = follow(1);
    other.log.issue();
    expect(told(other.story, "by", "position")).toEqual([
      "issued position=0",
      "admitted by=ticket_issued position=1",
    ]);
  });

  test("tells each attempt: given back and why, lost by silence, and how it ended", () => {
    const { story, log } = follow(1, { attempts: 3 });
    log.issue();
    log.claim(1);
    log.release(1, "refused", { not_before_ms: 500 });
    log.sleep(1_000);
    log.claim(1, 2);
    log.release(1, "not_connected", { attempt: 2 });
    log.claim(1, 3);
    log.sleep(10_000);
    expect(told(story, "attempt", "reason", "by").slice(2)).toEqual([
      "claimed attempt=1",
      "released attempt=1 reason=refused",
      "claimed attempt=2",
      "released attempt=2 reason=not_connected",
      "claimed attempt=3",
      "lapsed",
      "unknown by=tick",
    ]);
    expect(standing(story)).toBe("unknown");
    log.answer(1, 3);
    expect(told(story).slice(-2)).toEqual(["answered", "settled"]);
    expect(standing(story)).toBe("answered");
  });

  test("tells that a lapsed claim left it claimable, where the request may be repeated", () => {
    const { story, log } = follow(1);
    log.issue();
    const claim = { queue: QUEUE, number: 1, attempt: 1, timeout_ms: 1_000, idempotent: true };
    log.write({ kind: "dispatch_claimed", ...claim });
    log.sleep(10_000);
    expect(told(story).slice(-2)).toEqual(["claimed", "lapsed"]);
    expect(standing(story)).toBe("admitted");
  });

  test("tells that it failed, was taken up again by an operator, and was answered then", () => {
    const { story, log } = follow(1, { attempts: 1 });
    log.issue();
    log.claim(1);
    log.release(1, "refused");
    expect(standing(story)).toBe("failed");
    log.write({ kind: "request_retried", queue: QUEUE, number: 1, reason: "well again" });
    expect(standing(story)).toBe("admitted");
    log.claim(1, 2);
    expect(standing(story)).toBe("being sent");
    log.answer(1, 2);
    expect(told(story, "reason").slice(2)).toEqual([
      "claimed",
      "released reason=refused",
      "failed",
      "retried reason=well again",
      "claimed",
      "answered",
    ]);
  });

  test.each<[string, string[], (log: ToldLog) => void]>([
    ["was given up", ["left"], (log) => log.write({ kind: "ticket_left", queue: QUEUE, number: 1 })],
    ["waited too long", ["expired by=tick"], (log) => log.sleep(120_000)],
    [
      "was forgotten",
      ["left", "forgotten"],
      (log) => {
        log.write({ kind: "ticket_left", queue: QUEUE, number: 1 });
        log.sleep(20 * 60_000);
      },
    ],
  ])("tells that it %s", (_, expected, happen) => {
    const { story, log } = follow(1, { mode: "paused" });
    log.issue();
    log.configure({ mode: "queue_all", max_active: 0, rate_thousandths: 1 });
    happen(log);
    expect(told(story, "by").slice(1)).toEqual(expected);
    expect(standing(story)).toBe(expected[0]?.split(" ")[0]);
  });

  test("tells of a ticket by hand that a backend completed it, or that its session was over", () => {
    const { story, log } = follow(1);
    log.issue({ stored_request: false });
    log.write({ kind: "ticket_completed", queue: QUEUE, number: 1 });
    expect(told(story).slice(2)).toEqual(["completed"]);
    const other = follow(1, { session_ms: 5_000 });
    other.log.issue({ stored_request: false });
    other.log.sleep(6_000);
    expect(told(other.story, "by").slice(2)).toEqual(["expired by=tick"]);
  });
});

describe("what had no effect", () => {
  test("is told where it meant the ticket: a second claim, an answer too late, a wish that was refused", () => {
    const { story, log } = follow(1);
    log.issue();
    log.claim(1);
    log.claim(1, 1);
    log.write({ kind: "ticket_left", queue: QUEUE, number: 1 });
    log.answer(1);
    log.answer(1);
    log.write({ kind: "request_retried", queue: QUEUE, number: 1, reason: "r" });
    expect(told(story, "record", "why").slice(2)).toEqual([
      "claimed",
      "no effect record=dispatch_claimed why=not_claimable",
      "no effect record=ticket_left why=claimed",
      "answered",
      "no effect record=request_answered why=no_such_claim",
      "no effect record=request_retried why=not_failed",
    ]);
    expect(standing(story)).toBe("answered");
  });

  test("of other tickets and other queues is not", () => {
    const { story, log } = follow(1);
    log.issue();
    const before = story.events.length;
    log.issue();
    log.claim(2);
    log.write({ kind: "ticket_left", queue: "elsewhere", number: 1 });
    log.sleep(5_000);
    expect(story.events).toHaveLength(before);
  });
});

describe("the same key", () => {
  test("is told: refused before there was a ticket, found again after, and refused with another request", () => {
    const { story, log } = follow(2, { mode: "closed" });
    log.issue({ key: 7, digest: 1 });
    log.issue({ key: 8, digest: 1 });
    log.configure({});
    log.issue();
    log.issue({ key: 7, digest: 1 });
    log.issue({ key: 7, digest: 1 });
    log.issue({ key: 7, digest: 2 });
    log.issue({ key: 8, digest: 2 });
    expect(told(story, "why", "by")).toEqual([
      "refused why=closed",
      "issued",
      "found by=key",
      "refused why=key_reused",
    ]);
  });

  test("or the same subject, in a pass queue, is told as found", () => {
    const { story, log } = follow(1, { kind: "pass" });
    const ticket = { subject: 5, stored_request: false };
    log.issue(ticket);
    log.issue(ticket);
    expect(told(story, "by").slice(2)).toEqual(["found by=subject"]);
  });

  test("asked for over and over is counted, and not kept for ever", () => {
    const { story, log } = follow(1);
    for (let n = 0; n < 1_500; n++) log.issue({ key: 7, digest: 1 });
    expect(story.events).toHaveLength(1_000);
    expect(story.more).toBe(501);
    expect(storyText(story, "orders:0:1")).toMatch(/\nand 501 more$/);
  });
});

test("the story reads as sentences, a line each", () => {
  const { story, log } = follow(2);
  log.issue();
  log.claim(1);
  log.issue({ key: 7, digest: 1 });
  log.sleep(2_500);
  log.release(1, "timed_out");
  log.claim(2);
  log.release(2, "refused", { not_before_ms: 1_500 });
  log.write({ kind: "ticket_left", queue: QUEUE, number: 2 });
  const lines = storyText(story, "orders:5f0c1d2e3a4b5c6d:2").split("\n");
  expect(lines.slice(0, 4)).toEqual([
    "ticket 2 in orders (orders:5f0c1d2e3a4b5c6d:2): left",
    "waited 2.50 s for its turn, 0.00 s to be sent, 2.50 s in all (log time)",
    "",
    "OFFSET  T (S)  WALL TIME                 BY   WHAT",
  ]);
  expect(lines.slice(4).map((line) => line.replace(/^\d+ +[\d.]+ +\S+Z +/, ""))).toEqual([
    "ann  issued, at place 1 of 1, with a stored request, under an idempotency key",
    "ann  admitted from place 1, when ticket 1 ended unanswered",
    "ann  claimed for attempt 1, which may take 1.00 s",
    "ann  attempt 1 gave it back: the service refused it with 429 or 503; not before 1.50 s",
    "ann  given up by its holder",
  ]);
});

test("words in the log that a terminal would obey are shown, and not obeyed", () => {
  const { story, log } = follow(1, { attempts: 1 });
  log.write({ kind: "session_opened", former: 0n, node: "eve\x1b[2J" }, 9n);
  log.issue();
  log.claim(1, 1, 9n);
  log.release(1, "refused");
  log.write({ kind: "request_retried", queue: QUEUE, number: 1, reason: "\x1b]0;owned\x07\u009b2J\u202e" });
  const text = storyText(story, "orders:0:1");
  expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  expect(text).toContain("owned");
});
