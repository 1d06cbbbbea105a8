// The log's own rules: who may write, what time it is, and what cannot be.

import { describe, expect, test } from "vitest";
import { Fold, NoGenesisError, QUEUES_MAX, SESSION_SILENCE_MS, SESSIONS_MAX } from "../src/index.ts";
import { Log, QUEUE, SETTINGS } from "./log.ts";

describe("what the fold tells", () => {
  test("changes once taken do not grow with later records", () => {
    const log = new Log();
    log.sleep(50);
    const none = log.changes;
    log.issue();
    expect(log.changes).toHaveLength(1);
    expect(none).toEqual([]);
  });
});

describe("writer sessions", () => {
  test("a record of a session that nobody opened has no effect", () => {
    const log = new Log();
    expect(log.say({ kind: "ticket_issued", stored_request: true }, 2n)).toEqual({
      kind: "ignored",
      reason: "unknown_session",
    });
    expect(log.queue.lastNumber).toBe(0);
  });

  test("a record that comes twice counts once", () => {
    const log = new Log();
    const record = {
      session: 1n,
      sequence: 100,
      wall_ms: 0,
      event: { kind: "ticket_issued", queue: QUEUE, stored_request: true },
    } as const;
    expect(log.fold.apply(record).kind).toBe("issued");
    expect(log.fold.apply(record)).toEqual({ kind: "ignored", reason: "not_rising" });
    expect(log.queue.lastNumber).toBe(1);
  });

  test("nothing of a session counts after its successor's opening", () => {
    const log = new Log();
    log.open(2n, 1n);
    expect(log.say({ kind: "ticket_issued", stored_request: true }, 1n).kind).toBe("ignored");
    expect(log.say({ kind: "ticket_issued", stored_request: true }, 2n).kind).toBe("issued");
  });

  test("an opening that comes after its successor's opens nothing", () => {
    const log = new Log();
    log.open(3n, 2n);
    expect(log.open(2n, 1n)).toEqual({ kind: "ignored", reason: "session_known" });
    expect(log.say({ kind: "ticket_issued", stored_request: true }, 2n).kind).toBe("ignored");
  });

  test("no session follows itself, and none is 0", () => {
    const log = new Log();
    expect(log.open(2n, 2n)).toEqual({ kind: "ignored", reason: "impossible" });
    expect(log.open(0n)).toEqual({ kind: "ignored", reason: "impossible" });
  });

  test("one that was silent for an hour of log time is forgotten", () => {
    const log = new Log();
    log.open(2n);
    log.sleep(SESSION_SILENCE_MS);
    expect(log.say({ kind: "ticket_issued", stored_request: true }, 2n)).toEqual({
      kind: "ignored",
      reason: "unknown_session",
    });
    expect(log.fold.sessions.size).toBe(1);
  });

  test("for one more than are kept, a closed one goes, else the one that was silent the longest", () => {
    const log = new Log();
    log.open(2n);
    log.sleep(2_000);
    log.open(4n, 3n);
    for (let session = 5n; log.fold.sessions.size < SESSIONS_MAX; session++) log.open(session);
    const { sessions } = log.fold;
    log.open(100_000n);
    expect([sessions.knows(3n), sessions.open(2n)]).toEqual([false, true]);
    log.open(100_001n);
    expect(sessions.open(2n)).toBe(false);
    // An opening may bring two: itself, and a former one that nobody knew. Neither goes for the other.
    log.open(100_003n, 100_002n);
    expect([sessions.open(100_003n), sessions.knows(100_002n)]).toEqual([true, true]);
    expect(sessions.size).toBe(SESSIONS_MAX);
  });

  test("the timekeeper's stays, however many others are opened between two of its ticks", () => {
    const log = new Log();
    log.sleep(500);
    for (let session = 2n; session < 3n * BigInt(SESSIONS_MAX); session++) log.open(session);
    expect(log.fold.sessions.size).toBe(SESSIONS_MAX);
    expect(log.write({ kind: "tick", term: 1, elapsed_ms: 500 })).toEqual({ kind: "applied" });
    expect(log.fold.now_ms).toBe(1_000);
  });

  test("tell which nodes have one open, and when each was last heard, by its ticks or otherwise", () => {
    const log = new Log();
    log.open(2n, 0n, "a");
    log.open(3n, 0n, "a/time");
    log.open(4n, 0n, "b");
    log.open(5n, 0n, "c");
    log.open(6n, 5n, "c");
    log.sleep(1_000);
    log.open(7n, 0n, "d/time");
    log.write({ kind: "term_opened", term: 2 }, 3n);
    const heard = Object.fromEntries(log.fold.sessions.nodes().map(({ node, ...rest }) => [node, rest]));
    expect(heard).toEqual({
      node: { session: 1n, heard_ms: 0 },
      a: { session: 2n, heard_ms: 1_000 },
      b: { session: 4n, heard_ms: 0 },
      c: { session: 6n, heard_ms: 0 },
      d: { session: undefined, heard_ms: 1_000 },
    });
  });
});

describe("log time", () => {
  test("a tick that says an hour counts as one second", () => {
    const log = new Log();
    log.write({ kind: "tick", term: 1, elapsed_ms: 3_600_000 });
    expect(log.fold.now_ms).toBe(1_000);
  });

  test("the first tick of a term counts nothing", () => {
    const log = new Log();
    log.sleep(500);
    log.write({ kind: "term_opened", term: 2 });
    log.write({ kind: "tick", term: 2, elapsed_ms: 900 });
    expect(log.fold.now_ms).toBe(500);
    log.write({ kind: "tick", term: 2, elapsed_ms: 900 });
    expect(log.fold.now_ms).toBe(1_400);
  });

  test("of two nodes that stand for the same term the first in the log keeps time", () => {
    const log = new Log();
    log.open(2n);
    expect(log.write({ kind: "term_opened", term: 2 }, 2n)).toEqual({ kind: "applied" });
    expect(log.write({ kind: "term_opened", term: 2 }, 1n)).toEqual({ kind: "ignored", reason: "old_term" });
    expect(log.write({ kind: "tick", term: 2, elapsed_ms: 50 }, 1n).kind).toBe("ignored");
    expect(log.fold.timekeeper).toBe(2n);
  });

  test("nobody keeps time any more once its keeper gave the term back, or opened another session", () => {
    const log = new Log();
    log.open(2n, 1n);
    expect(log.fold.timekeeper).toBeUndefined();
    log.write({ kind: "term_opened", term: 2 }, 2n);
    expect(log.write({ kind: "term_closed", term: 2 }, 2n)).toEqual({ kind: "applied" });
    expect(log.fold.timekeeper).toBeUndefined();
    expect(log.write({ kind: "tick", term: 2, elapsed_ms: 50 }, 2n).kind).toBe("ignored");
  });
});

describe("what cannot be has no effect", () => {
  test("a log that does not begin with its genesis is no log", () => {
    const record = {
      session: 1n,
      sequence: 1,
      wall_ms: 0,
      event: { kind: "tick", term: 0, elapsed_ms: 0 },
    } as const;
    expect(() => new Fold().apply(record)).toThrow(NoGenesisError);
  });

  test("a second genesis", () => {
    const log = new Log();
    const before = log.fold.genesis;
    expect(log.write({ kind: "genesis", id: "61".repeat(16) })).toEqual({
      kind: "ignored",
      reason: "second_genesis",
    });
    expect(log.fold.genesis).toBe(before);
  });

  test("a key, a subject or a digest that is no hash", () => {
    const log = new Log();
    const impossible = { kind: "ignored", reason: "impossible" };
    const hash = new Uint8Array(16).fill(1);
    const issue = { kind: "ticket_issued", stored_request: true } as const;
    expect(log.say({ ...issue, key: hash.subarray(1) })).toEqual(impossible);
    expect(log.say({ ...issue, key: new Uint8Array() })).toEqual(impossible);
    expect(log.say({ ...issue, subject: hash.subarray(1) })).toEqual(impossible);
    expect(log.say({ ...issue, key: hash, digest: hash })).toEqual(impossible);
    expect(log.queue.lastNumber).toBe(0);
  });

  test("a request id of Admit that is no hash", () => {
    const log = new Log();
    expect(log.say({ kind: "admit_requested", request_id: "60", who: { count: 1 } })).toEqual({
      kind: "ignored",
      reason: "impossible",
    });
  });

  test("an answer with a status that HTTP does not have", () => {
    const log = new Log();
    const number = log.issue();
    log.claim(number);
    for (const status of [0, 99, 1_000, 65_736]) {
      expect(log.answer(number, 1, status)).toEqual({ kind: "ignored", reason: "impossible" });
    }
    expect(log.queue.ticket(number)?.request).toBe("sending");
    expect(log.answer(number, 1, 999)).toEqual({ kind: "applied" });
  });

  test("a queue of settings that make no sense, or beyond the most that a log holds", () => {
    const log = new Log();
    const configured = { kind: "queue_configured", revision: 1, settings: SETTINGS, reason: "" } as const;
    const settings = { ...SETTINGS, max_wait_ms: 0 };
    expect(log.write({ ...configured, queue: "no wait", settings }).kind).toBe("ignored");
    for (let made = 1; made < QUEUES_MAX; made++) log.write({ ...configured, queue: `queue ${made}` });
    expect(log.write({ ...configured, queue: "one more" })).toEqual({
      kind: "ignored",
      reason: "impossible",
    });
    expect([...log.fold.queues()]).toHaveLength(QUEUES_MAX);
  });
});
