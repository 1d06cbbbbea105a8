// GetState: the whole state in digests. The same records, the same digests; and where they differ, it is said where.

import type { LogRecord } from "@usher/queue";
import { Fold } from "@usher/queue";
import { MemoryStore } from "@usher/ticket-log";
import { describe, expect, it } from "vitest";
import { Reader, stateDifferences, stateDigest } from "../src/index.ts";
import { checkStateSize, STATE_TICKETS_MAX } from "../src/rpc/validation.ts";
import { issueAndFail } from "./support/requests.ts";
import { backend, clientsOf, refusalOf } from "./support/rpc.ts";
import { pass, passing, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, makeQueue, openWorld, recordsOf, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

/** Two queues, in which things have happened. */
async function openBusy(): Promise<World> {
  const world = await openWorld();
  await makeQueue(world, "line");
  await makeQueue(world, "orders", { kind: "defer", max_active: 2, attempts: 1 });
  const places = [await issue(world, "line"), await issue(world, "line"), await issue(world, "line")];
  await world.replica.desk.leave(places[2]!);
  await issueAndFail(world, "orders");
  await pass(2_000);
  return world;
}

function fold(records: readonly LogRecord[]): Fold {
  const folded = new Fold();
  for (const record of records) folded.apply(record);
  folded.takeChanges();
  return folded;
}

describe("the state in digests", () => {
  it("counts each queue's tickets, and says exactly how far into the log it is true", async () => {
    const world = await openBusy();
    const { admin } = clientsOf(world, backend());
    const state = await admin.getState({});
    expect(state).toMatchObject({ asOf: BigInt(world.replica.asOf), term: 1 });
    expect(state.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(state.queues).toMatchObject([
      { name: "line", lastNumber: 3, admissions: 1n, waiting: 1, admitted: 1, left: 1, failed: 0 },
      { name: "orders", lastNumber: 1, admissions: 1n, waiting: 0, admitted: 0, left: 0, failed: 1 },
    ]);
  });

  it("is the same for a replay of the log, and for another node, and for nothing else", async () => {
    const store = new MemoryStore({ shared: true });
    const ann = await passing(openWorld({ node: "ann", store }));
    const bob = await passing(openWorld({ node: "bob", store }));
    await makeQueue(ann, "line");
    await turns();
    for (let n = 0; n < 10; n++) await issue(bob, "line");
    await turns();
    const [a, b] = await Promise.all(
      [ann, bob].map((world) => clientsOf(world, backend()).admin.getState({})),
    );
    expect(a).toEqual(b);
    const reader = new Reader(ann.log);
    await reader.readToEnd();
    const replayed = stateDigest(reader.fold);
    expect(replayed.digest).toBe(a!.digest);
    expect(stateDifferences(a!.pieces, replayed.pieces)).toEqual([]);
    await issue(ann, "line");
    expect((await clientsOf(ann, backend()).admin.getState({})).digest).not.toBe(a!.digest);
  });

  it("changes with every record that has an effect, and with no other", async () => {
    const records = recordsOf((await openBusy()).store);
    let before = "";
    const folded = new Fold();
    for (const record of [...records, ...records.slice(-3)]) {
      const outcome = folded.apply(record);
      const { digest } = stateDigest(folded);
      expect(digest !== before, `${record.event.kind}: ${outcome.kind}`).toBe(outcome.kind !== "ignored");
      before = digest;
    }
  });

  it("may be that of one queue alone, which the others do not change", async () => {
    const world = await openBusy();
    const { admin } = clientsOf(world, backend());
    const [line, orders] = [
      await admin.getState({ queue: "line" }),
      await admin.getState({ queue: "orders" }),
    ];
    expect(line.queues.map(({ name }) => name)).toEqual(["line"]);
    expect(line.queues[0]!.digest).not.toBe(orders.queues[0]!.digest);
    await issue(world, "orders");
    expect((await admin.getState({ queue: "line" })).queues).toEqual(line.queues);
    expect((await admin.getState({ queue: "orders" })).queues).not.toEqual(orders.queues);
  });

  it("is refused for a queue that is not there, for what has not been read, for too many tickets, and without a key", async () => {
    const world = await openBusy();
    const { admin } = clientsOf(world, backend());
    expect(await refusalOf(admin.getState({ queue: "nowhere" }))).toMatchObject({
      reason: "QUEUE_NOT_FOUND",
    });
    expect(await refusalOf(admin.getState({ queue: "NO" }))).toMatchObject({ metadata: { field: "queue" } });
    const behind = passing(refusalOf(admin.getState({ asOf: 1_000_000n })));
    expect(await behind).toMatchObject({ reason: "BEHIND" });
    expect(await refusalOf(clientsOf(world).admin.getState({}))).toMatchObject({
      reason: "API_KEY_REQUIRED",
    });
    const tickets = { waiting: STATE_TICKETS_MAX - 2, active: 1, remembered: 1 };
    expect(() => checkStateSize([tickets])).not.toThrow();
    expect(() => checkStateSize([tickets, { waiting: 0, active: 0, remembered: 1 }])).toThrow(
      /2000001 tickets/,
    );
  });
});

describe("two states that are not the same", () => {
  /** A log of 3,000 tickets, as it is, and with one record changed. */
  async function twoLogs(change: (record: LogRecord, at: number) => LogRecord) {
    const world = await openWorld();
    await makeQueue(world, "line", { kind: "defer" });
    await Promise.all(Array.from({ length: 3_000 }, () => issue(world, "line", { key: `${Math.random()}` })));
    const records = recordsOf(world.store).filter(({ event }) => event.kind !== "tick");
    const [one, other] = [fold(records), fold(records.map(change))];
    return stateDifferences(stateDigest(one).pieces, stateDigest(other).pieces);
  }

  it("differ where a ticket was issued by another's clock: within its thousand", async () => {
    let issued = 0;
    const differences = await twoLogs((record) => {
      const changed = record.event.kind === "ticket_issued" && ++issued === 2_000;
      return changed ? { ...record, wall_ms: record.wall_ms + 1 } : record;
    });
    expect(differences).toEqual(["queue line: tickets 1025 to 2048: not the same"]);
  });

  it("differ in what a queue's settings are, by name", async () => {
    const differences = await twoLogs((record) => {
      const { event } = record;
      if (event.kind !== "queue_configured") return record;
      return { ...record, event: { ...event, settings: { ...event.settings, notice: "Soon." } } };
    });
    expect(differences).toEqual(["queue line: settings: notice  / Soon."]);
  });

  it("differ in whole queues, and in all that hangs on a term", async () => {
    const differences = await twoLogs((record) => {
      const { event } = record;
      return event.kind === "term_opened" ? { ...record, event: { ...event, term: 7 } } : record;
    });
    expect(differences[0]).toMatch(/^log: term 1 \/ 0, timekeeper \d+ \/ none/);
    const renamed = await twoLogs((record) => {
      const { event } = record;
      return "queue" in event ? { ...record, event: { ...event, queue: "other" } } : record;
    });
    expect(renamed).toEqual(
      expect.arrayContaining([
        "queue: not the same",
        "queue line: settings: there / not there",
        "queue other: settings: not there / there",
      ]),
    );
  });
});
