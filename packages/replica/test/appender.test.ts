// How callers are told what became of their records, by the log and nothing else.

import type { LogEvent, Outcome } from "@usher/queue";
import { type Fate, type MemoryLog, MemoryStore, openMemoryLog } from "@usher/ticket-log";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../src/clock.ts";
import { Appender } from "../src/log/appender.ts";
import { decodeRecord, encodeRecord } from "../src/log/codec.ts";
import { APPEND_TIMEOUT_MS, PENDING_MAX } from "../src/log/session.ts";
import { Reader } from "../src/reader.ts";
import { pass, stopClocks, turns } from "./support/time.ts";
import { recordsOf, SETTINGS } from "./support/world.ts";

stopClocks();

let store: MemoryStore;
let log: MemoryLog;
let reader: Reader;
let appender: Appender;
/** What becomes of a record; a test says otherwise. */
let fateOf: (event: LogEvent) => Fate;

beforeEach(async () => {
  store = new MemoryStore();
  fateOf = () => "written";
  log = openMemoryLog({
    store,
    fate: ({ value }) => {
      const decoded = decodeRecord(value);
      return decoded.kind === "record" ? fateOf(decoded.record.event) : "written";
    },
  });
  reader = new Reader(log);
  appender = new Appender({ log, clock: systemClock, node: "node", former: 0n });
  reader.listen({
    folded: (record, outcome) => appender.folded(record, outcome),
    batch: () => {},
    halted: (error) => appender.halt(error),
  });
  await appender.begin("00".repeat(16));
  await appender.append({
    kind: "queue_configured",
    queue: "q",
    revision: 1,
    settings: SETTINGS,
    reason: "",
  });
});

afterEach(async () => {
  await log.close();
});

/** Asks for a ticket that the number in its key names. */
function issued(n: number): LogEvent {
  return { kind: "ticket_issued", queue: "q", key: keyOf(n), stored_request: false };
}

function keyOf(n: number): Uint8Array {
  const key = new Uint8Array(16);
  new DataView(key.buffer).setUint32(0, n);
  return key;
}

/** The fate of some of the tickets, by what names them; all else is written. */
function fates(byNumber: Record<number, Fate>): void {
  fateOf = (event) =>
    (event.kind === "ticket_issued" &&
      byNumber[new DataView(event.key!.buffer, event.key!.byteOffset).getUint32(0)]) ||
    "written";
}

/** "pending", or how a ticket's append ended. */
class Ask {
  told: Outcome | string = "pending";

  constructor(n: number) {
    appender.append(issued(n)).then(
      ({ outcome }) => {
        this.told = outcome;
      },
      (error) => {
        this.told = error.outcome;
      },
    );
  }
}

function ticketOf(n: number): number | undefined {
  return reader.fold.queue("q")!.byKey(keyOf(n), undefined)?.number;
}

function openings() {
  return recordsOf(store).flatMap(({ session, event }) =>
    event.kind === "session_opened" ? [{ session, former: event.former }] : [],
  );
}

describe("callers", () => {
  it("are answered by the fold of their own record, told by session and sequence", async () => {
    const appended = await Promise.all(Array.from({ length: 100 }, (_, n) => appender.append(issued(n))));
    for (const [n, { outcome, name }] of appended.entries()) {
      expect(outcome).toEqual({ kind: "issued", number: ticketOf(n), existing: false });
      const record = recordsOf(store).find(
        ({ event }) => event.kind === "ticket_issued" && event.key![3] === n,
      )!;
      expect(name).toEqual({ session: record.session, sequence: record.sequence });
    }
  });

  it("are answered though the acknowledgement was lost, where the record was not", async () => {
    fates({ 1: "unacknowledged" });
    expect((await appender.append(issued(1))).outcome).toEqual({
      kind: "issued",
      number: 1,
      existing: false,
    });
  });

  it("are answered once, of a record that was written twice", async () => {
    fates({ 1: "twice" });
    const { outcome } = await appender.append(issued(1));
    expect(outcome).toEqual({ kind: "issued", number: 1, existing: false });
    await turns();
    expect(reader.fold.queue("q")!.lastNumber).toBe(1);
  });

  it("are refused when the writer refuses, and the session goes on", async () => {
    fates({ 1: "refused" });
    const asks = [0, 1, 2].map((n) => new Ask(n));
    await turns();
    expect(asks[1]!.told).toBe("refused");
    expect([ticketOf(0), ticketOf(1), ticketOf(2)]).toEqual([1, undefined, 2]);
    expect(openings()).toHaveLength(1);
  });

  it("are refused when a later record of their session is read first", async () => {
    fates({ 1: "stuck" });
    const asks = [0, 1, 2].map((n) => new Ask(n));
    await turns();
    expect(asks[1]!.told).toBe("refused");
    expect([ticketOf(0), ticketOf(1), ticketOf(2)]).toEqual([1, undefined, 2]);
  });

  it("are refused by the opening of a successor, which comes unasked, when their record was lost", async () => {
    fates({ 1: "lost" });
    const ask = new Ask(1);
    await turns();
    expect(ask.told).toBe("refused");
    const [first, second] = openings();
    expect(second!.former).toBe(first!.session);
    expect(ticketOf(1)).toBeUndefined();
  });

  it("are told the truth of a record that comes after the successor: it has no effect", async () => {
    fates({ 1: { late: 3 } });
    const ask = new Ask(1);
    await turns();
    expect(ask.told).toBe("refused");
    await Promise.all([appender.append(issued(2)), appender.append(issued(3))]);
    await turns();
    const { event } = recordsOf(store).at(-1)!;
    expect(event).toMatchObject(issued(1));
    expect([ticketOf(1), ticketOf(2), ticketOf(3)]).toEqual([undefined, 1, 2]);
  });

  it("are refused, in the end, though openings are lost too; and each names the session that was open", async () => {
    let lost = 0;
    fateOf = (event) => {
      if (event.kind === "ticket_issued" && event.key![3] === 1) return "lost";
      return event.kind === "session_opened" && lost++ < 2 ? "lost" : "written";
    };
    const ask = new Ask(1);
    await turns();
    expect(ask.told).toBe("pending");
    for (const _ of [1, 2, 3]) {
      appender.expire();
      await turns();
    }
    expect(ask.told).toBe("refused");
    const [first, second] = openings();
    expect(second!.former).toBe(first!.session);
    expect((await appender.append(issued(2))).outcome).toMatchObject({ number: 1 });
  });

  it("are refused, not left in doubt, where no session could be opened for their record", async () => {
    fates({ 1: "lost" });
    fateOf = ({ kind }) => (kind === "ticket_issued" || kind === "session_opened" ? "lost" : "written");
    new Ask(1);
    await turns();
    await expect(appender.append(issued(2))).rejects.toMatchObject({
      code: "unavailable",
      outcome: "refused",
    });
    fateOf = () => "written";
    expect((await appender.append(issued(3))).outcome).toMatchObject({ kind: "issued" });
  });

  it("are told that the outcome is unknown where the log says nothing, at the deadline and not before", async () => {
    fates({ 1: "stuck" });
    const ask = new Ask(1);
    await pass(APPEND_TIMEOUT_MS - 10);
    appender.expire();
    await turns();
    expect(ask.told).toBe("pending");
    await pass(10);
    appender.expire();
    await turns();
    expect(ask.told).toBe("unknown");
  });

  it(`are refused beyond ${PENDING_MAX} that wait, and taken again when there is room`, async () => {
    fateOf = () => "stuck";
    const asks = Array.from({ length: PENDING_MAX }, (_, n) => new Ask(n));
    await turns(40);
    await expect(appender.append(issued(PENDING_MAX))).rejects.toMatchObject({
      code: "overloaded",
      outcome: "refused",
    });
    expect(asks.every(({ told }) => told === "pending")).toBe(true);
    fateOf = () => "written";
    await pass(APPEND_TIMEOUT_MS);
    appender.expire();
    expect((await appender.append(issued(PENDING_MAX))).outcome).toMatchObject({ number: 1 });
  });
});

describe("a writer session", () => {
  it("that was lost has a successor, which names it, and the log goes on", async () => {
    fates({ 1: "unacknowledged" });
    await appender.append(issued(1));
    await appender.append(issued(2));
    const [first, second] = openings();
    expect(second!.former).toBe(first!.session);
    expect(recordsOf(store).at(-1)!.session).toBe(second!.session);
    expect([ticketOf(1), ticketOf(2)]).toEqual([1, 2]);
  });

  it("that the fold has closed or forgotten is followed by another, and its ignored record appended again, once", async () => {
    const [own] = openings();
    const stranger = { session: 5n, sequence: 1, wall_ms: 0 };
    const opening = { kind: "session_opened", former: own!.session, node: "stranger" } as const;
    log.inject({ key: "", value: encodeRecord({ ...stranger, event: opening }) });
    const asks = [1, 2, 3].map((n) => new Ask(n));
    await turns();
    expect(asks.map(({ told }) => told)).toEqual(
      [1, 2, 3].map((number) => ({ kind: "issued", number, existing: false })),
    );
    expect(recordsOf(store).filter(({ event }) => event.kind === "ticket_issued")).toHaveLength(6);
    expect(openings()).toHaveLength(3);
  });

  it("that is not let in even a second time refuses its caller", async () => {
    const opening = { kind: "session_opened", node: "stranger" } as const;
    let stranger = 5n;
    fateOf = (event) => {
      // Somebody else closes each of this node's sessions before its first ticket.
      if (event.kind === "ticket_issued") {
        const former = openings().at(-1)!.session;
        const record = { session: stranger++, sequence: 1, wall_ms: 0, event: { ...opening, former } };
        log.inject({ key: "", value: encodeRecord(record) });
      }
      return "written";
    };
    await expect(appender.append(issued(1))).rejects.toMatchObject({
      code: "unavailable",
      outcome: "refused",
    });
    expect(ticketOf(1)).toBeUndefined();
  });
});

describe("an appender that ends", () => {
  it("tells everybody before it is closed, and refuses who comes later", async () => {
    fates({ 1: "lost", 2: "stuck", 3: "refused" });
    const asks = [0, 1, 2, 3, 4, 5].map((n) => new Ask(n));
    const closing = appender.close();
    await expect(appender.append(issued(6))).rejects.toMatchObject({ code: "closed", outcome: "refused" });
    await closing;
    const told = asks.map(({ told }) => (typeof told === "string" ? told : told.kind));
    expect(told).toEqual(["issued", "refused", "refused", "refused", "issued", "issued"]);
    expect([0, 1, 2, 3, 4, 5].map((n) => ticketOf(n) !== undefined)).toEqual([
      ...[true, false, false, false, true, true],
    ]);
  });

  it("closes when the last deadline is over, though the log never answers", async () => {
    fates({ 1: "stuck" });
    const ask = new Ask(1);
    let closed = false;
    const closing = appender.close().then(() => {
      closed = true;
    });
    await pass(APPEND_TIMEOUT_MS);
    expect(closed).toBe(false);
    appender.expire();
    await closing;
    expect(ask.told).toBe("unknown");
  });

  it("tells everybody at once when the log can be read no further, and writes nothing from then on", async () => {
    fates({ 1: "stuck" });
    const ask = new Ask(1);
    await turns();
    log.failFollowers(Object.assign(new Error("a gap"), { code: "corrupt", outcome: "refused" }) as never);
    await turns();
    expect(ask.told).toBe("unknown");
    const { end } = store;
    await expect(appender.append(issued(2))).rejects.toMatchObject({
      code: "unavailable",
      outcome: "refused",
      message: expect.stringContaining("a gap"),
    });
    expect(store.end).toBe(end);
  });
});
