// The client against the real program, over gRPC and over Connect: the same calls, the same answers.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { createClient, hasEnded, type QueueClient, type Status, UsherError } from "../src/index.ts";
import { createClient as createWebClient } from "../src/web.ts";

const CONFIG = `
services: { shop: { url: "http://127.0.0.1:9" } }
queues:
  concert: { kind: pass, limit: { rate_per_second: 1, max_active: 2 }, max_wait: 1h, mode: paused }
  closed: { kind: pass, limit: { rate_per_second: 1, max_active: 2 }, max_wait: 1h, mode: closed }
routes:
  - { match: GET /concert, service: shop, queue: concert }
  - { match: GET /closed, service: shop, queue: closed }
`;

let usher: Usher;

beforeAll(async () => {
  usher = await startUsher({ config: CONFIG });
});

afterAll(() => usher?.stop());

async function codeOf(failing: Promise<unknown>): Promise<unknown> {
  try {
    await failing;
  } catch (error) {
    if (error instanceof UsherError) {
      const { code, retryable, outcome } = error;
      return { code, retryable, outcome };
    }
    throw error;
  }
  return "it did not fail";
}

describe.each([
  ["gRPC, at the native listener", () => native()],
  ["gRPC, at the gateway", () => createClient({ baseUrl: usher.gatewayUrl, apiKey: usher.apiKey })],
  ["Connect", () => createWebClient({ baseUrl: usher.gatewayUrl, apiKey: usher.apiKey })],
])("over %s", (_, open: () => QueueClient) => {
  it("a ticket is taken, looked at, watched, taken up by its token, and left", async () => {
    using client = open();
    const ticket = await client.issue("concert", { attributes: { seat: "A1" } });
    expect(ticket.status).toMatchObject({ queue: "concert", state: "waiting", stale: false });
    expect(ticket.existing).toBe(false);
    expect(ticket.status.issuedAt).toBeInstanceOf(Date);
    expect(await ticket.refresh()).toMatchObject({ number: ticket.number, state: "waiting" });
    const again = await client.ticket(ticket.token);
    expect(again.id).toBe(ticket.id);
    const seen: Status[] = [];
    for await (const status of ticket.watch()) {
      seen.push(status);
      if (seen.length === 1) await again.leave();
    }
    expect(seen.map(({ state }) => state)).toEqual(["waiting", "left"]);
    expect(seen.map(hasEnded)).toEqual([false, true]);
    expect(ticket.status.state).toBe("left");
    expect(ticket.status.position).toBeUndefined();
  });

  it("the same idempotency key is the same ticket", async () => {
    using client = open();
    const idempotencyKey = crypto.randomUUID();
    const first = await client.issue("concert", { idempotencyKey });
    const second = await client.issue("concert", { idempotencyKey });
    expect([second.id, second.existing]).toEqual([first.id, true]);
    expect(await second.leave()).toMatchObject({ id: first.id, state: "left" });
  });

  it("it is told when it is let through", async () => {
    using client = open();
    using backend = native();
    const ticket = await client.issue("concert");
    const admitted = ticket.admitted();
    expect(await backend.admit("concert", { ticket: ticket.id })).toMatchObject({ numbers: [ticket.number] });
    expect(await admitted).toMatchObject({ state: "admitted", position: 0, pass: expect.any(String) });
    expect(await backend.complete(ticket.id)).toMatchObject({ id: ticket.id, state: "completed" });
    expect(await ticket.refresh()).toMatchObject({ state: "completed" });
  });

  it("a queue tells how it stands", async () => {
    using client = open();
    const ticket = await client.issue("concert");
    expect(await client.queue("concert")).toMatchObject({
      name: "concert",
      kind: "pass",
      mode: "paused",
      waiting: 1,
      lastNumber: ticket.number,
    });
    await ticket.leave();
  });

  it("what is refused says why, and that nothing has happened", async () => {
    using client = open();
    const refused = { retryable: false, outcome: "refused" };
    expect(await codeOf(client.issue("nowhere"))).toEqual({ code: "queue_not_found", ...refused });
    expect(await codeOf(client.issue("closed"))).toEqual({ code: "queue_closed", ...refused });
    expect(await codeOf(client.issue("NO"))).toEqual({ code: "invalid_field", ...refused });
    expect(await codeOf(client.ticket("nonsense"))).toEqual({ code: "token_invalid", ...refused });
  });

  it("a watch and a call whose signal is aborted end as canceled, and the ticket keeps its place", async () => {
    using client = open();
    const ticket = await client.issue("concert");
    const given = new AbortController();
    const watch = ticket.watch({ signal: given.signal });
    await watch.next();
    const next = codeOf(watch.next());
    given.abort();
    expect(await next).toMatchObject({ code: "canceled" });
    expect(await codeOf(client.issue("concert", { signal: given.signal }))).toMatchObject({
      code: "canceled",
    });
    expect(await ticket.refresh()).toMatchObject({ state: "waiting" });
    await ticket.leave();
  });
});

describe("a backend", () => {
  it("works through the line in the order of admission, and takes up where it was", async () => {
    using backend = native();
    const tickets = [];
    for (const subject of ["ann", "bob"])
      tickets.push(await backend.issue("concert", { subject, attributes: { of: subject } }));
    await backend.admit("concert", { count: 2 });
    const seen: { subject: string | undefined; of: string | undefined; cursor: string }[] = [];
    for await (const { subject, attributes, cursor } of backend.admissions("concert")) {
      seen.push({ subject, of: attributes.of, cursor });
      if (seen.length === 2) break;
    }
    expect(seen).toMatchObject([
      { subject: "ann", of: "ann" },
      { subject: "bob", of: "bob" },
    ]);
    for await (const admission of backend.admissions("concert", { cursor: seen[0]?.cursor ?? "" })) {
      expect(admission.subject).toBe("bob");
      await admission.complete();
      break;
    }
    expect(await tickets[1]?.refresh()).toMatchObject({ state: "completed" });
    await tickets[0]?.leave();
  });
});

function native() {
  return createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
}
