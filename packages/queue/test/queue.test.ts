// The rules of a queue as stories, for people to read. That they hold always, and together, is for the properties.

import { describe, expect, test } from "vitest";
import type { Settings } from "../src/index.ts";
import { Log } from "./log.ts";

const SECOND = 1_000;
const KEY = new Uint8Array(16).fill(7);

/** 10 a second, no limit of room. */
const RATE = { rate_thousandths: 10_000, max_active: 0 };

describe("a turn comes", () => {
  test("to the next in line in the very record that frees a slot", () => {
    const log = new Log();
    const [first, second, third] = [log.issue(), log.issue(), log.issue()];
    log.claim(first);
    expect([second, third].map((number) => log.queue.position(number))).toEqual([1, 2]);
    log.answer(first);
    expect(log.changes).toEqual([
      { kind: "ended", queue: "orders", number: first },
      { kind: "admitted", queue: "orders", number: second },
    ]);
    expect(log.queue.position(third)).toBe(1);
  });

  test("at the rate, beginning with the second tick after somebody began to wait", () => {
    const log = new Log(RATE);
    for (let n = 0; n < 50; n++) log.issue();
    log.sleep(SECOND);
    expect(log.queue.admissions).toBe(0);
    log.sleep(100);
    expect(log.queue.admissions).toBe(1);
    log.sleep(50);
    expect(log.queue.admissions).toBe(1);
    log.sleep(50);
    expect(log.queue.admissions).toBe(2);
    // A second saves up 200 ms of the rate, and not more.
    log.sleep(SECOND);
    expect(log.queue.admissions).toBe(4);
  });

  test.each([1, 3, 5, 7, 9])("at a rate of %i a second that often, whatever the ticks bring", (rate) => {
    const log = new Log({ rate_thousandths: rate * 1_000, max_active: 0, max_wait_ms: 3_600_000 });
    for (let n = 0; n < 1_000; n++) log.issue();
    // A tick comes a little late, as ticks do.
    for (let n = 0; n < 1_000; n++) log.sleep(60);
    expect(log.queue.admissions).toBeGreaterThanOrEqual(60 * rate - 1);
    expect(log.queue.admissions).toBeLessThanOrEqual(60 * rate + 1);
  });

  test("in a pass queue at once, while budget lasts", () => {
    const log = new Log({ ...RATE, kind: "pass" });
    expect([1, 2, 3].map(() => log.queue.position(log.issue({ stored_request: false })))).toEqual([0, 0, 1]);
  });

  test("to nobody while the queue is paused, and their time to wait stands still", () => {
    const log = new Log({ mode: "paused", max_wait_ms: 5 * SECOND });
    const number = log.issue();
    log.sleep(60 * SECOND);
    expect(log.queue.position(number)).toBe(1);
    log.configure({ max_wait_ms: 5 * SECOND });
    expect(log.queue.position(number)).toBe(0);
  });

  test("by Admit while the queue is paused, whatever the rate, within max_active, and once for one request id", () => {
    const log = new Log({ mode: "paused", max_active: 2, rate_thousandths: 1 });
    for (let n = 0; n < 5; n++) log.issue();
    const request = { kind: "admit_requested", request_id: "60".repeat(16), who: { count: 4 } } as const;
    expect(log.say(request)).toEqual({ kind: "admitted", numbers: [1, 2] });
    log.say({ kind: "ticket_left", number: 1 });
    expect(log.say(request)).toEqual({ kind: "admitted", numbers: [1, 2] });
    expect(log.say({ ...request, who: { count: 3 } })).toEqual({ kind: "refused", reason: "key_reused" });
    expect(log.queue.active).toBe(1);
  });

  test("later where the limit is lowered, and drives nobody out", () => {
    const log = new Log({ max_active: 3 });
    const numbers = [1, 2, 3, 4].map(() => log.issue());
    log.configure({ max_active: 1 });
    expect(log.queue.active).toBe(3);
    for (const number of numbers.slice(0, 2)) log.say({ kind: "ticket_left", number });
    expect(log.queue.position(4)).toBe(1);
    log.say({ kind: "ticket_left", number: 3 });
    expect(log.queue.position(4)).toBe(0);
  });
});

test("how long the first in line has waited is told, and does not grow while the queue is paused", () => {
  const log = new Log();
  expect([log.queue.oldestWait_ms, log.issue(), log.queue.oldestWait_ms]).toEqual([undefined, 1, undefined]);
  const [second] = [log.issue(), log.sleep(2 * SECOND), log.issue()];
  expect(log.queue.oldestWait_ms).toBe(2 * SECOND);
  log.configure({ mode: "paused" });
  log.sleep(30 * SECOND);
  log.configure({});
  log.sleep(SECOND);
  expect(log.queue.oldestWait_ms).toBe(3 * SECOND);
  log.say({ kind: "ticket_left", number: second });
  expect(log.queue.oldestWait_ms).toBe(SECOND);
});

describe("the same request", () => {
  test("under the same key is the same ticket, in a closed queue too, until it is forgotten", () => {
    const log = new Log({ key_retention_ms: 10 * SECOND });
    const number = log.issue({ key: KEY });
    log.configure({ mode: "closed", key_retention_ms: 10 * SECOND });
    log.say({ kind: "ticket_left", number });
    log.sleep(9 * SECOND);
    expect(log.issue({ key: KEY })).toBe(number);
    log.sleep(SECOND);
    expect(() => log.issue({ key: KEY })).toThrow("closed");
  });

  test("with other contents is refused", () => {
    const log = new Log();
    log.issue({ key: KEY });
    const digest = new Uint8Array(8).fill(1);
    expect(log.say({ kind: "ticket_issued", stored_request: true, key: KEY, digest })).toEqual({
      kind: "refused",
      reason: "key_reused",
    });
  });

  test("of one subject is one ticket while it lives", () => {
    const log = new Log({ kind: "pass" });
    const ticket = { subject: KEY, stored_request: false };
    const number = log.issue(ticket);
    expect(log.issue(ticket)).toBe(number);
    log.say({ kind: "ticket_completed", number });
    expect(log.issue(ticket)).toBe(number + 1);
  });
});

describe("a claimed request", () => {
  test("cannot be left, nor claimed by another", () => {
    const log = new Log();
    const number = log.issue();
    log.claim(number);
    expect(log.say({ kind: "ticket_left", number })).toEqual({ kind: "refused", reason: "claimed" });
    expect(log.claim(number)).toEqual({ kind: "ignored", reason: "not_claimable" });
    expect(log.claim(number, 2)).toEqual({ kind: "ignored", reason: "not_claimable" });
  });

  test("that the service refused may be claimed again in its slot, until it was tried often enough", () => {
    const log = new Log({ attempts: 2 });
    const number = log.issue();
    for (const attempt of [1, 2]) {
      expect(log.claim(number, attempt)).toEqual({ kind: "applied" });
      log.say({ kind: "claim_released", number, attempt, not_before_ms: 0, reason: "refused" });
    }
    expect(log.queue.ticket(number)).toMatchObject({ state: "completed", request: "failed" });
  });

  test("is before every newcomer until the service has seen it", () => {
    const log = new Log();
    const number = log.issue();
    expect(log.queue.unsent).toBe(1);
    log.claim(number);
    expect(log.queue.unsent).toBe(0);
    const release = { kind: "claim_released", number, not_before_ms: 0 } as const;
    log.say({ ...release, attempt: 1, reason: "not_connected" });
    expect(log.queue.unsent).toBe(1);
    log.claim(number, 2);
    log.say({ ...release, attempt: 2, reason: "refused" });
    expect(log.queue.unsent).toBe(0);
    log.claim(number, 3);
    log.say({ ...release, attempt: 3, reason: "not_connected" });
    expect(log.queue.unsent).toBe(0);
  });

  test("that lapses is unknown, and frees its slot once: a late answer frees nothing", () => {
    const log = new Log();
    const [first, second, third] = [log.issue(), log.issue(), log.issue()];
    log.claim(first);
    log.sleep(6 * SECOND);
    expect(log.queue.ticket(first)?.request).toBe("unknown");
    expect(log.queue.position(second)).toBe(0);
    expect(log.answer(first)).toEqual({ kind: "applied" });
    expect(log.queue.ticket(first)).toMatchObject({ request: "answered", status: 200 });
    expect(log.queue.position(third)).toBe(1);
  });

  test("that lapses may be claimed again where it is idempotent", () => {
    const log = new Log();
    const number = log.issue();
    log.claim(number, 1, true);
    log.sleep(6 * SECOND);
    expect(log.queue.ticket(number)?.request).toBe("stored");
    expect(log.claim(number, 2, true)).toEqual({ kind: "applied" });
  });
});

describe("a request that has failed", () => {
  /** Refused by the service as often as it may be tried. */
  function failed(settings: Partial<Settings> = {}, ticket: Parameters<Log["issue"]>[0] = {}): Log {
    const log = new Log({ attempts: 2, key_retention_ms: 10 * SECOND, ...settings });
    refuse(log, log.issue(ticket), [1, 2]);
    expect(log.queue.ticket(1)).toMatchObject({ request: "failed", attempt: 2 });
    return log;
  }

  function refuse(log: Log, number: number, attempts: readonly number[]): void {
    for (const attempt of attempts) {
      expect(log.claim(number, attempt)).toEqual({ kind: "applied" });
      log.say({ kind: "claim_released", number, attempt, not_before_ms: 0, reason: "refused" });
    }
  }

  function retry(log: Log, number = 1) {
    return log.say({ kind: "request_retried", number, reason: "the service is back" });
  }

  test("is tried again on an operator's word, under the same ticket and with as many attempts again", () => {
    const log = failed();
    const { admission, origin, admittedWall_ms } = log.queue.ticket(1)!;
    expect(retry(log)).toEqual({ kind: "applied" });
    expect(log.changes).toEqual([{ kind: "admitted", queue: "orders", number: 1 }]);
    expect(log.queue.ticket(1)).toMatchObject({
      state: "admitted",
      request: "stored",
      position: 0,
      attempt: 2,
    });
    expect(log.queue.ticket(1)).toMatchObject({ admission, origin, admittedWall_ms });
    expect(log.queue.ticket(1)?.endedWall_ms).toBeUndefined();
    expect([log.queue.active, log.queue.unsent, log.queue.remembered]).toEqual([1, 1, 0]);
    expect([log.queue.admissions, log.queue.nowServing]).toEqual([1, 1]);
    refuse(log, 1, [3]);
    expect(log.queue.ticket(1)?.request).toBe("stored");
    log.claim(1, 4);
    expect(log.answer(1, 4)).toEqual({ kind: "applied" });
    expect(log.queue.ticket(1)).toMatchObject({ request: "answered", attempt: 4, status: 200 });
  });

  test("fails again where it is refused as often again, and may be tried once more", () => {
    const log = failed();
    retry(log);
    refuse(log, 1, [3, 4]);
    expect(log.queue.ticket(1)?.request).toBe("failed");
    expect(retry(log)).toEqual({ kind: "applied" });
    refuse(log, 1, [5, 6]);
    expect(log.queue.ticket(1)?.request).toBe("failed");
  });

  test("may have been carried out once it is tried again, and then never is again", () => {
    const log = failed();
    retry(log);
    log.claim(1, 3);
    log.sleep(6 * SECOND);
    expect(log.queue.ticket(1)?.request).toBe("unknown");
    expect(retry(log)).toEqual({ kind: "refused", reason: "not_failed" });
  });

  test("gets as long again, however long it has waited", () => {
    const log = new Log({ mode: "paused", attempts: 2, max_wait_ms: 5 * SECOND });
    log.issue();
    log.configure({ attempts: 2, max_wait_ms: 5 * SECOND });
    log.sleep(5 * SECOND);
    expect(log.queue.ticket(1)?.request).toBe("failed");
    retry(log);
    log.sleep(4 * SECOND);
    refuse(log, 1, [1]);
    expect(log.queue.ticket(1)?.request).toBe("stored");
    log.sleep(SECOND);
    expect(log.queue.ticket(1)?.request).toBe("failed");
  });

  test("takes a slot as any other: none is free, and it is refused; it has one, and the next waits", () => {
    const log = failed();
    const second = log.issue();
    expect(retry(log)).toEqual({ kind: "refused", reason: "no_room" });
    expect(log.queue.ticket(1)?.request).toBe("failed");
    log.say({ kind: "ticket_left", number: second });
    retry(log);
    expect(log.queue.position(log.issue())).toBe(1);
  });

  test("goes beyond the rate, and costs nobody else a turn", () => {
    const log = failed();
    log.configure({ ...RATE, mode: "paused", key_retention_ms: 10 * SECOND });
    const waiting = log.issue();
    expect(log.queue.budget_millionths).toBe(0);
    expect(retry(log)).toEqual({ kind: "applied" });
    log.configure({ ...RATE });
    // The first tick after somebody began to wait brings nothing.
    log.sleep(SECOND);
    log.sleep(100);
    expect(log.queue.position(waiting)).toBe(0);
  });

  test("is remembered anew from its next end on, key and all, and not forgotten before", () => {
    const log = failed({}, { key: KEY });
    log.sleep(9 * SECOND);
    retry(log);
    log.sleep(5 * SECOND);
    expect(log.issue({ key: KEY })).toBe(1);
    refuse(log, 1, [3, 4]);
    log.sleep(9 * SECOND);
    expect(log.issue({ key: KEY })).toBe(1);
    log.sleep(SECOND);
    expect(log.changes).toMatchObject([{ kind: "forgotten", number: 1 }]);
    expect(retry(log)).toEqual({ kind: "refused", reason: "unknown_ticket" });
  });

  test("is the only thing that is tried again", () => {
    const log = new Log({ max_active: 3 });
    const [answered, left, sending] = [log.issue(), log.issue(), log.issue()];
    const waiting = log.issue();
    log.claim(answered);
    log.answer(answered);
    log.say({ kind: "ticket_left", number: left });
    log.claim(sending);
    for (const number of [answered, left, sending, waiting])
      expect(retry(log, number)).toEqual({ kind: "refused", reason: "not_failed" });
    expect(retry(log, 99)).toEqual({ kind: "refused", reason: "unknown_ticket" });
  });

  test("in a pass queue, where none should be, is not: its subject may have another ticket by now", () => {
    const log = new Log({ kind: "pass", max_wait_ms: 5 * SECOND });
    const number = log.issue({ subject: KEY });
    log.sleep(5 * SECOND);
    expect(log.queue.ticket(number)?.request).toBe("failed");
    expect(log.issue({ subject: KEY, stored_request: false })).toBe(number + 1);
    expect(retry(log, number)).toEqual({ kind: "refused", reason: "not_failed" });
  });
});

describe("an admitted ticket without a stored request", () => {
  test("is over after its session, and in a pass queue 30 seconds later", () => {
    const log = new Log({ session_ms: 5 * SECOND });
    const number = log.issue({ stored_request: false });
    log.sleep(4 * SECOND);
    expect(log.queue.position(number)).toBe(0);
    log.sleep(SECOND);
    expect(log.queue.ticket(number)?.state).toBe("expired");

    const pass = new Log({ kind: "pass", session_ms: 5 * SECOND });
    const visitor = pass.issue({ stored_request: false });
    pass.sleep(34 * SECOND);
    expect(pass.queue.position(visitor)).toBe(0);
    pass.sleep(SECOND);
    expect(pass.queue.ticket(visitor)?.state).toBe("expired");
  });

  test("is completed by a backend's word, which a stored request is not", () => {
    const log = new Log({ max_active: 2 });
    const byHand = log.issue({ stored_request: false });
    const stored = log.issue();
    expect(log.say({ kind: "ticket_completed", number: byHand })).toEqual({ kind: "applied" });
    expect(log.say({ kind: "ticket_completed", number: byHand })).toEqual({ kind: "applied" });
    expect(log.say({ kind: "ticket_completed", number: stored })).toEqual({
      kind: "refused",
      reason: "stored_request",
    });
    expect(log.queue.active).toBe(1);
  });
});
