// What happens at the limits of a queue, and that its memory is given back.

import { describe, expect, test } from "vitest";
import { planted } from "../../../test/support/planted.ts";
import { ADMIT_MAX, ADMIT_REQUESTS_MAX, NUMBER_MAX } from "../src/index.ts";
import { SEGMENT_TICKETS } from "../src/segment.ts";
import { Log } from "./log.ts";

const SECOND = 1_000;

function admit(log: Log, id: number, count: number) {
  const request_id = id.toString(16).padStart(32, "0");
  return log.say({ kind: "admit_requested", request_id, who: { count } });
}

describe("a queue at its limits", () => {
  test("gives out the last number that there is, and refuses whoever comes after", async () => {
    const { Fold } = await planted<typeof import("../src/index.ts")>("packages/queue", {
      file: "tickets.ts",
      find: "#last = 0;",
      replace: `#last = ${NUMBER_MAX - 1_500};`,
    });
    const log = new Log({ mode: "paused", key_retention_ms: SECOND }, new Fold());
    const first = log.issue();
    for (let n = 1; n < 1_500; n++) log.issue();
    expect(log.say({ kind: "ticket_issued", stored_request: true })).toEqual({
      kind: "refused",
      reason: "full",
    });
    expect(log.queue.lastNumber).toBe(NUMBER_MAX);
    expect(log.queue.position(NUMBER_MAX)).toBe(1_500);
    log.say({ kind: "ticket_left", number: first });
    expect(log.queue.position(NUMBER_MAX)).toBe(1_499);
    expect(admit(log, 1, 1)).toEqual({ kind: "admitted", numbers: [first + 1] });
    log.sleep(2 * SECOND);
    expect(log.queue.ticket(first)).toBeUndefined();
    expect(log.say({ kind: "ticket_left", number: NUMBER_MAX })).toEqual({ kind: "applied" });
    // Far beyond, and before the first: neither is another ticket by mistake.
    for (const number of [0, 1, 2 ** 31]) expect(log.queue.ticket(number)).toBeUndefined();
  });

  test("refuses newcomers while as many as max_waiting wait or are remembered", () => {
    const log = new Log({ max_waiting: 3, key_retention_ms: SECOND, mode: "paused" });
    for (let n = 0; n < 3; n++) log.issue();
    log.say({ kind: "ticket_left", number: 1 });
    expect(() => log.issue()).toThrow("full");
    log.sleep(SECOND);
    expect(log.issue()).toBe(4);
  });

  test("admits as many as one Admit may ask for, and no more", () => {
    const log = new Log({ mode: "paused", max_active: 1_000_000 });
    for (let n = 0; n < ADMIT_MAX + 5; n++) log.issue();
    expect(admit(log, 1, ADMIT_MAX + 1)).toEqual({ kind: "ignored", reason: "impossible" });
    expect(admit(log, 2, 0)).toEqual({ kind: "ignored", reason: "impossible" });
    admit(log, 3, ADMIT_MAX);
    expect(log.queue.active).toBe(ADMIT_MAX);
    expect(log.queue.waiting).toBe(5);
  });

  test("refuses a new request id while it remembers as many as it may, and knows the old ones", () => {
    const log = new Log({ key_retention_ms: SECOND });
    for (let id = 0; id < ADMIT_REQUESTS_MAX; id++) admit(log, id, 1);
    expect(admit(log, ADMIT_REQUESTS_MAX, 1)).toEqual({ kind: "refused", reason: "full" });
    expect(admit(log, 0, 1)).toEqual({ kind: "admitted", numbers: [] });
    expect(log.queue.kept.admitRequests).toBe(ADMIT_REQUESTS_MAX);
    log.sleep(SECOND);
    expect(log.queue.kept.admitRequests).toBe(0);
    expect(admit(log, ADMIT_REQUESTS_MAX, 1).kind).toBe("admitted");
  });
});

describe("memory is given back", () => {
  test("of segments in which all is forgotten", () => {
    const log = new Log({ mode: "paused", max_wait_ms: 5 * SECOND, key_retention_ms: SECOND });
    for (let n = 0; n < 20 * SEGMENT_TICKETS; n++) log.issue();
    expect(log.queue.kept.segments).toBe(20);
    log.configure({ mode: "auto", max_wait_ms: 5 * SECOND, key_retention_ms: SECOND });
    log.sleep(10 * SECOND);
    // The one slot's request was never sent, and failed in its time.
    expect(log.queue.kept.segments).toBe(0);
    expect(log.queue.remembered).toBe(0);
    expect(log.queue.ticket(1)).toBeUndefined();
  });

  test("behind one who waits at the front of a paused queue, however many come and leave", () => {
    const log = new Log({ mode: "paused", key_retention_ms: SECOND });
    const first = log.issue();
    for (let round = 0; round < 40; round++) {
      for (let n = 0; n < SEGMENT_TICKETS; n++) {
        log.say({ kind: "ticket_left", number: log.issue({ key: keyOf(log.queue.lastNumber) }) });
      }
      log.sleep(SECOND);
      // The one in front, the one that numbers are given from, and one whose last tickets have just ended.
      expect(log.queue.kept.segments).toBeLessThanOrEqual(3);
    }
    expect(log.queue.position(first)).toBe(1);
    const last = log.issue();
    expect(log.queue.position(last)).toBe(2);
    log.configure({ mode: "auto" });
    expect(log.queue.position(first)).toBe(0);
    expect(log.queue.position(last)).toBe(1);
  });

  test("of deadlines whose claims have ended long before", () => {
    const log = new Log({ attempts: 1 });
    for (let n = 0; n < 5_000; n++) {
      const number = log.issue();
      log.say({ kind: "dispatch_claimed", number, attempt: 1, timeout_ms: 4_000_000_000, idempotent: false });
      expect(log.queue.kept.deadlines).toBeLessThanOrEqual(2 * log.queue.active + 1_024);
      log.answer(number);
    }
    const number = log.issue();
    log.claim(number);
    for (let n = 0; n < 5_000; n++) log.issue();
    log.sleep(6 * SECOND);
    expect(log.queue.ticket(number)?.request).toBe("unknown");
  });
});

function keyOf(number: number): Uint8Array {
  const key = new Uint8Array(16);
  new DataView(key.buffer).setUint32(0, number, true);
  return key;
}
