// What is stored beside the log is there as long as its ticket is remembered, and no longer.

import { create } from "@bufbuild/protobuf";
import { StoredRequestSchema, StoredResponseSchema } from "@usher/protocol/payload";
import { type Fate, LOG_LIMITS } from "@usher/ticket-log";
import { describe, expect, it } from "vitest";
import { pass, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, entriesOf, issue, makeQueue, openWorld, recordsOf } from "./support/world.ts";

stopClocks();
closeWorlds();

const store = { details: { subject: "ann", attributes: { seat: "12" } } };
const request = create(StoredRequestSchema, {
  method: "POST",
  target: "/orders",
  body: Buffer.from("a secret"),
});

describe("what a ticket came with", () => {
  it("is read back by the record that issued it: details, a request, and its answers by attempt", async () => {
    const world = await openWorld();
    const { replica } = world;
    await makeQueue(world, "q", { kind: "defer" });
    const detailed = await issue(world, "q", { store });
    expect(await replica.payloads.readDetails(detailed.view.origin)).toEqual(
      expect.objectContaining(store.details),
    );
    expect(await replica.payloads.readRequest(detailed.view.origin)).toBeUndefined();

    const { origin } = (await issue(world, "q", { store: { request } })).view;
    expect(await replica.payloads.readRequest(origin)).toEqual(request);
    expect(await replica.payloads.readDetails(origin)).toBeUndefined();
    expect(await replica.payloads.readResponse(origin, 1)).toBeUndefined();

    const response = create(StoredResponseSchema, { status: 201, body: Buffer.from("done") });
    const put = replica.payloads.response(origin, 1, response);
    await replica.append({ kind: "ticket_left", queue: "q", number: 99 }, { payload: () => put });
    expect(await replica.payloads.readResponse(origin, 1)).toEqual(response);
    expect(await replica.payloads.readResponse(origin, 2)).toBeUndefined();
    expect(await replica.payloads.readRequest(origin)).toEqual(request);
  });

  it("is not to be read in the store, nor does any of it stand in the log", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const { origin } = (await issue(world, "q", { store, key: "a key of the caller's own", subject: "ann" }))
      .view;
    const sealed = Buffer.from((await world.log.getPayload({ ...origin, attempt: 0 }))!);
    for (const secret of ["ann", "seat", "a key of"]) {
      expect(sealed.includes(secret)).toBe(false);
      for (const { key, value } of entriesOf(world.store)) {
        expect(key.includes(secret)).toBe(false);
        expect(Buffer.from(value).includes(secret)).toBe(false);
      }
    }
  });

  it("that was damaged, or put in another's place, is absent and not an error", async () => {
    const world = await openWorld();
    await makeQueue(world, "q");
    const one = (await issue(world, "q", { store })).view.origin;
    const other = (await issue(world, "q", { store })).view.origin;
    const sealed = (await world.log.getPayload({ ...one, attempt: 0 }))!;
    await world.log.putPayload({ key: { ...other, attempt: 0 }, bytes: sealed });
    expect(await world.replica.payloads.readDetails(other)).toBeUndefined();
    await world.log.putPayload({ key: { ...one, attempt: 0 }, bytes: sealed.fill(0, 40) });
    expect(await world.replica.payloads.readDetails(one)).toBeUndefined();
  });

  it("is dropped when its ticket is forgotten, and not before", async () => {
    const world = await openWorld();
    await makeQueue(world, "q", { key_retention_ms: 5_000 });
    const left = await issue(world, "q", { store });
    const waiting = await issue(world, "q", { store });
    await world.replica.desk.leave(left);
    await pass(4_000);
    expect(world.store.payloads).toBe(2);
    await pass(2_000);
    expect(world.replica.fold.queue("q")!.ticket(left.view.number)).toBeUndefined();
    expect(await world.replica.payloads.readDetails(left.view.origin)).toBeUndefined();
    expect(await world.replica.payloads.readDetails(waiting.view.origin)).toBeDefined();
    expect(world.faults).toEqual([]);
  });

  it("is dropped though more tickets are forgotten at once than the log drops in one call", async () => {
    const world = await openWorld();
    const all = { max_active: 20_000, session_ms: 1_000, key_retention_ms: 1_000 };
    await makeQueue(world, "q", { kind: "defer", ...all });
    const half = LOG_LIMITS.drops_max / 2 + 50;
    for (const _ of [1, 2]) {
      const wishes = Array.from({ length: half }, (_, n) => (n % 100 === 0 ? { store } : {}));
      await Promise.all(wishes.map((wish) => issue(world, "q", wish)));
    }
    expect(world.store.payloads).toBe(102);
    await pass(3_000);
    expect(world.replica.fold.queue("q")).toMatchObject({ lastNumber: 2 * half, remembered: 0 });
    expect(world.faults).toEqual([]);
    expect(world.store.payloads).toBe(0);
  });
});

describe("what an issue came with that made no ticket", () => {
  it("is dropped: when it was refused, and when the ticket was there already", async () => {
    const world = await openWorld();
    await makeQueue(world, "q", { max_waiting: 2 });
    const caller = { id: "key:a", trusted: true };
    const first = await issue(world, "q", { caller, key: "k", digest: Buffer.alloc(8, 1), store });
    const again = await issue(world, "q", { caller, key: "k", digest: Buffer.alloc(8, 1), store });
    expect(again).toMatchObject({ existing: true, view: { number: first.view.number } });
    await expect(
      issue(world, "q", { caller, key: "k", digest: Buffer.alloc(8, 2), store }),
    ).rejects.toMatchObject({
      reason: "KEY_REUSED",
    });
    await Promise.all([issue(world, "q"), issue(world, "q")]);
    await expect(issue(world, "q", { store })).rejects.toMatchObject({ reason: "QUEUE_FULL" });
    await turns();
    expect(world.store.payloads).toBe(1);
    expect(await world.replica.payloads.readDetails(first.view.origin)).toBeDefined();
  });

  it("was never stored where the log refused the record, and is kept where the outcome is unknown", async () => {
    let fate: Fate = "written";
    const world = await openWorld({ fate: ({ key }) => (key === "q" ? fate : "written") });
    await makeQueue(world, "q");
    fate = "refused";
    await expect(issue(world, "q", { store })).rejects.toMatchObject({ outcome: "refused" });
    expect(world.store.payloads).toBe(0);
    fate = "unacknowledged";
    const { origin } = (await issue(world, "q", { store })).view;
    expect(await world.replica.payloads.readDetails(origin)).toBeDefined();
    expect(recordsOf(world.store).filter(({ event }) => event.kind === "ticket_issued")).toHaveLength(1);
  });
});
