// RetryRequest: a failed request, once more, on an operator's word.

import { RequestState, TicketState } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import { giveBack, issueAndFail, issueAndSend, send } from "./support/requests.ts";
import { backend, clientsOf, refusalOf } from "./support/rpc.ts";
import { stopClocks } from "./support/time.ts";
import { closeWorlds, issue, kinds, makeQueue, openWorld, recordsOf } from "./support/world.ts";

stopClocks();
closeWorlds();

async function openAdmin(settings: Parameters<typeof makeQueue>[2] = {}) {
  const world = await openWorld();
  await makeQueue(world, "q", { kind: "defer", max_active: 1, attempts: 1, ...settings });
  const { admin } = clientsOf(world, backend());
  const retry = (ticketId: string, reason = "the service is well again") =>
    admin.retryRequest({ ticketId, reason });
  const id = (number: number) => `q:${world.replica.epoch()}:${number}`;
  return { world, retry, id };
}

describe("a failed request", () => {
  it("is taken up again under its ticket, is sent once more and answered; the log says why", async () => {
    const { world, retry } = await openAdmin();
    const failed = await issueAndFail(world, "q");
    const { ticket } = await retry(failed);
    expect(ticket).toMatchObject({
      id: failed,
      state: TicketState.ADMITTED,
      requestState: RequestState.STORED,
      position: 0,
    });
    expect(recordsOf(world.store).at(-1)!.event).toEqual({
      kind: "request_retried",
      queue: "q",
      number: 1,
      reason: "the service is well again",
      actor: "key:backend",
    });
    await send(world, "q", 1, 2);
    await world.replica.append({
      kind: "request_answered",
      queue: "q",
      number: 1,
      attempt: 2,
      status: 200,
    });
    expect(world.replica.fold.queue("q")!.ticket(1)).toMatchObject({
      state: "completed",
      request: "answered",
    });
  });

  it("that fails again may be taken up again", async () => {
    const { world, retry } = await openAdmin();
    const failed = await issueAndFail(world, "q");
    for (const attempt of [2, 3]) {
      await retry(failed);
      await send(world, "q", 1, attempt);
      await giveBack(world, "q", 1, "refused", attempt);
      expect(world.replica.fold.queue("q")!.ticket(1)?.request).toBe("failed");
    }
  });

  it("is refused where no slot is free, and taken up when one is", async () => {
    const { world, retry } = await openAdmin();
    const failed = await issueAndFail(world, "q");
    const other = await issue(world, "q");
    expect(await refusalOf(retry(failed))).toMatchObject({ reason: "NO_ROOM", retry_ms: 1_000 });
    await world.replica.desk.complete(other);
    expect((await retry(failed)).ticket?.state).toBe(TicketState.ADMITTED);
  });
});

describe("a request that has not failed", () => {
  it("is never sent again where it may have been carried out, and that is said", async () => {
    const { world, retry, id } = await openAdmin();
    const number = await issueAndSend(world, "q");
    await giveBack(world, "q", number, "lost");
    const refusal = await refusalOf(retry(id(number)));
    expect(refusal).toMatchObject({
      reason: "NOT_FAILED",
      code: "FailedPrecondition",
      metadata: { queue: "q", request_state: "unknown" },
    });
    expect(refusal.message).toMatch(/may have been carried out. Ask the service/);
    expect(world.replica.fold.queue("q")!.ticket(number)?.request).toBe("unknown");
  });

  it("is refused, and told how it stands: stored, being sent, answered, or that there is none", async () => {
    const { world, retry, id } = await openAdmin({ max_active: 3 });
    const stateOf = async (number: number) => (await refusalOf(retry(id(number)))).metadata.request_state;
    const sent = await issueAndSend(world, "q");
    expect(await stateOf(sent)).toBe("sending");
    await world.replica.append({
      kind: "request_answered",
      queue: "q",
      number: sent,
      attempt: 1,
      status: 500,
    });
    expect(await stateOf(sent)).toBe("answered");
    const { view } = await issue(world, "q");
    expect(await stateOf(view.number)).toBeUndefined();
  });
});

describe("who asks for it wrongly", () => {
  it("is refused, and nothing is written", async () => {
    const { world, retry, id } = await openAdmin();
    const failed = await issueAndFail(world, "q");
    const before = kinds(world.store).filter((kind) => kind !== "tick").length;
    for (const reason of ["", "x".repeat(501)])
      expect(await refusalOf(retry(failed, reason))).toMatchObject({ metadata: { field: "reason" } });
    expect(await refusalOf(retry("q:1"))).toMatchObject({ metadata: { field: "ticket_id" } });
    for (const ticket of [id(2), id(1).replace(/:[0-9a-f]+:/, ":0000000000000000:")])
      expect(await refusalOf(retry(ticket))).toMatchObject({ reason: "TICKET_NOT_FOUND" });
    const { admin } = clientsOf(world);
    expect(await refusalOf(admin.retryRequest({ ticketId: failed, reason: "r" }))).toMatchObject({
      reason: "API_KEY_REQUIRED",
    });
    expect(kinds(world.store).filter((kind) => kind !== "tick")).toHaveLength(before);
  });
});
