// The calls of the client, and what becomes of them: on the real program, over gRPC and over Connect, and on the queues in
// memory that programs' own tests have. One suite, so that the twin stays one.

import { describe, expect, it } from "vitest";
import { hasEnded, type QueueClient, type Status, type Ticket, UsherError } from "../src/index.ts";
import { startWays, WAYS } from "./support/ways.ts";

startWays();

/** What a refusal says; its words too, for they tell what to do. */
async function refusal(failing: Promise<unknown>): Promise<unknown> {
  try {
    await failing;
  } catch (error) {
    if (error instanceof UsherError) {
      const { code, message, retryable, outcome, retryAfter } = error;
      return { code, message, retryable, outcome, ...(retryAfter !== undefined && { retryAfter }) };
    }
    throw error;
  }
  return "it did not fail";
}

const REFUSED = { retryable: false, outcome: "refused" };

/** A key that nobody has used. */
const fresh = () => crypto.randomUUID();

/** How a ticket ends. */
async function ended(ticket: Ticket): Promise<{ state: string | undefined; wasAdmitted: boolean }> {
  const seen: Status[] = [];
  for await (const status of ticket.watch()) seen.push(status);
  return {
    state: seen.at(-1)?.state,
    wasAdmitted: seen.some(({ state }) => state === "admitted"),
  };
}

/** What is in one of the first two parts of a JSON Web Token. */
function part(token: string | undefined, at: 0 | 1): Record<string, unknown> {
  return JSON.parse(Buffer.from(token?.split(".")[at] ?? "", "base64url").toString());
}

describe.each(WAYS)("%s", (_, { open, visitor, backend: openBackend, inTime }) => {
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
    using backend = openBackend();
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
    expect(await refusal(client.issue("nowhere"))).toEqual({
      ...REFUSED,
      code: "queue_not_found",
      message: 'There is no queue "nowhere".',
    });
    expect(await refusal(client.issue("closed"))).toEqual({
      ...REFUSED,
      code: "queue_closed",
      message: 'The queue "closed" takes no newcomers.',
    });
    expect(await refusal(client.ticket("nonsense"))).toEqual({
      ...REFUSED,
      code: "token_invalid",
      message: "This is not a ticket's token.",
    });
    const idempotencyKey = fresh();
    const ticket = await client.issue("concert", { idempotencyKey });
    expect(await refusal(client.issue("concert", { idempotencyKey, attributes: { seat: "A2" } }))).toEqual({
      ...REFUSED,
      code: "key_reused",
      message: "The key was used with another request; use a new one.",
    });
    await ticket.leave();
  });

  it("a watch and a call whose signal is aborted end as canceled, and the ticket keeps its place", async () => {
    using client = open();
    const ticket = await client.issue("concert");
    const given = new AbortController();
    const watch = ticket.watch({ signal: given.signal });
    await watch.next();
    const next = refusal(watch.next());
    given.abort();
    expect(await next).toMatchObject({ code: "canceled" });
    expect(await refusal(client.issue("concert", { signal: given.signal }))).toMatchObject({
      code: "canceled",
    });
    expect(await ticket.refresh()).toMatchObject({ state: "waiting" });
    await ticket.leave();
  });

  it("a client that is closed ends its watches, and makes no calls", async () => {
    const client = open();
    const ticket = await client.issue("concert");
    const watch = ticket.watch();
    await watch.next();
    const admitted = watch.next();
    using backend = openBackend();
    await backend.admit("concert", { ticket: ticket.id });
    expect((await admitted).value).toMatchObject({ state: "admitted" });
    const next = refusal(watch.next());
    client.close();
    const closed = {
      code: "canceled",
      message: "the client was closed",
      retryable: false,
      outcome: "unknown",
    };
    expect(await next).toEqual(closed);
    expect(await refusal(ticket.refresh())).toEqual(closed);
    await backend.complete(ticket.id);
  });

  it("what is too long, too much or of the wrong letters is refused, by its field", async () => {
    using client = open();
    const seats = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, ""]));
    const wrong: readonly [field: string, wish: Parameters<QueueClient["issue"]>[1], message: string][] = [
      ["idempotency_key", { idempotencyKey: "é" }, "must be 1 to 255 printable ASCII characters"],
      ["idempotency_key", { idempotencyKey: "k".repeat(256) }, "must be 1 to 255 printable ASCII characters"],
      ["subject", { subject: "é".repeat(129) }, "at most 256 bytes"],
      ["attributes", { attributes: seats(17) }, "at most 16"],
      ["attributes", { attributes: { "": "A1" } }, "a name has 1 to 64 bytes"],
      ["attributes", { attributes: { ["n".repeat(65)]: "A1" } }, "a name has 1 to 64 bytes"],
      ["attributes", { attributes: { seat: "é".repeat(129) } }, "a value has at most 256 bytes"],
    ];
    const asked = wrong.map(([, wish]) => refusal(client.issue("concert", wish)));
    expect(await Promise.all(asked)).toEqual(
      wrong.map(([field, , message]) => ({
        ...REFUSED,
        code: "invalid_field",
        message: `${field}: ${message}`,
      })),
    );
    expect(await refusal(client.issue("NO"))).toEqual({
      ...REFUSED,
      code: "invalid_field",
      message: "queue: 1 to 64 of a-z 0-9 - _ . make a queue's name",
    });
    const most = {
      subject: "s".repeat(256),
      attributes: { ...seats(15), ["n".repeat(64)]: "v".repeat(256) },
    };
    const ticket = await client.issue("concert", { ...most, idempotencyKey: fresh().padEnd(255, "k") });
    expect(ticket.status.state).toBe("waiting");
    await ticket.leave();
  });

  it("without an API key, nobody guesses a key, names a subject, or holds up those whose requests wait", async () => {
    using client = visitor();
    expect(await refusal(client.issue("concert", { idempotencyKey: "k".repeat(21) }))).toEqual({
      ...REFUSED,
      code: "key_too_short",
      message: "idempotency_key: without an API key or credentials, at least 22 characters are needed",
    });
    expect(await refusal(client.issue("concert", { subject: "ann" }))).toEqual({
      ...REFUSED,
      code: "api_key_required",
      message: "subject: only callers with an API key may name one",
    });
    expect(await refusal(client.issue("brief"))).toMatchObject({ ...REFUSED, code: "api_key_required" });
    const ticket = await client.issue("concert");
    expect(await ticket.leave()).toMatchObject({ state: "left" });
  });

  it("a full queue says when to come back", async () => {
    using client = open({ attempts: 1 });
    const ticket = await client.issue("full");
    expect(await refusal(client.issue("full"))).toEqual({
      ...{ code: "queue_full", retryable: true, outcome: "refused", retryAfter: 10_000 },
      message: 'The queue "full" holds as many tickets as it may.',
    });
    expect(await ticket.refresh()).toMatchObject({ state: "waiting" });
    // One that has ended is remembered, and counts: room is made by admitting.
    using backend = openBackend();
    await backend.admit("full", { ticket: ticket.id });
  });

  it("a subject has one live ticket, whatever the key", async () => {
    using client = open();
    const subject = fresh();
    const first = await client.issue("concert", { subject });
    const idempotencyKey = fresh();
    const second = await client.issue("concert", { subject, idempotencyKey });
    expect([second.id, second.existing]).toEqual([first.id, true]);
    await first.leave();
    const third = await client.issue("concert", { subject, idempotencyKey });
    expect([third.id, third.status.state]).toEqual([first.id, "left"]);
    const fourth = await client.issue("concert", { subject });
    expect([fourth.existing, fourth.status.state]).toEqual([false, "waiting"]);
    await fourth.leave();
  });

  it("a status has the same fields, whoever tells it", async () => {
    using client = open();
    using backend = openBackend();
    const ticket = await client.issue("concert");
    const always = ["asOf", "id", "issuedAt", "notice", "number", "queue", "stale", "state"];
    const fieldsOf = (status: Status) => Object.keys(status).sort();
    expect(fieldsOf(ticket.status)).toEqual([...always, "position", "retryAfter"].sort());
    expect(ticket.status).toMatchObject({ notice: "Doors at 8", stale: false });
    expect(ticket.id).toMatch(new RegExp(`^concert:[0-9a-f]{16}:${ticket.number}$`));
    // Nothing moves there, so nobody is asked to look again soon; in whole seconds, for HTTP knows no others.
    expect(ticket.status.retryAfter).toBeGreaterThanOrEqual(5_000);
    expect((ticket.status.retryAfter ?? 0) % 1_000).toBe(0);
    await backend.admit("concert", { ticket: ticket.id });
    const admitted = await ticket.refresh();
    expect(fieldsOf(admitted)).toEqual([...always, "admittedAt", "pass", "position", "retryAfter"].sort());
    expect(admitted.retryAfter).toBe(1_000);
    const { kid, ...head } = part(admitted.pass, 0);
    expect(head).toEqual({ alg: "EdDSA", typ: "usher-pass+jwt" });
    const seconds = Math.floor((admitted.admittedAt?.getTime() ?? 0) / 1_000);
    expect(part(admitted.pass, 1)).toEqual({
      ...{ iss: "usher", aud: ["shop"], sub: ticket.id, queue: "concert", jti: `${ticket.id}.0` },
      ...{ iat: seconds, exp: seconds + 600 },
    });
    await backend.complete(ticket.id);
    expect(fieldsOf(await ticket.refresh())).toEqual([...always, "admittedAt", "endedAt"].sort());
  });

  it("a rate lets them in one after the other, and how long it takes is told by and by", async () => {
    using client = open();
    const tickets = await Promise.all(Array.from({ length: 30 }, () => client.issue("brisk")));
    const [last] = tickets.toSorted((one, other) => other.number - one.number);
    const seen: Status[] = [];
    const watch = async () => {
      for await (const status of last?.watch() ?? []) {
        seen.push(status);
        if (status.state === "admitted") return;
      }
    };
    await inTime(watch());
    const positions = seen.map(({ position }) => position ?? -1);
    expect(positions).toEqual(positions.toSorted((one, other) => other - one));
    expect(positions.at(-1)).toBe(0);
    const known = seen.filter(({ waitP50 }) => waitP50 !== undefined);
    expect(known.length).toBeGreaterThan(0);
    for (const { waitP50 = 0, waitP90 = 0, state } of known) {
      expect(state).toBe("waiting");
      expect(waitP90).toBeGreaterThanOrEqual(waitP50);
    }
    expect(await client.queue("brisk")).toMatchObject({ waiting: 0, nowServing: last?.number });
    expect((await client.queue("brisk")).pacePerSecond).toBeGreaterThan(0);
  });

  it("whoever stays too long is told that it is over", async () => {
    using client = open();
    const ticket = await client.issue("brief");
    expect(await inTime(ended(ticket))).toEqual({ state: "expired", wasAdmitted: true });
  });

  it("whoever waits too long is told that it is over", async () => {
    using client = open();
    using backend = openBackend();
    const first = await client.issue("impatient");
    const second = await client.issue("impatient");
    expect(await inTime(ended(second))).toEqual({ state: "expired", wasAdmitted: false });
    expect(await refusal(second.admitted())).toMatchObject({ code: "not_admitted" });
    await backend.complete(first.id);
  });

  it("admitting again under the same id admits nobody twice", async () => {
    using client = open();
    using backend = openBackend();
    const tickets = [await client.issue("concert"), await client.issue("concert")];
    const [one, other] = tickets.map(({ number }) => number);
    const requestId = fresh();
    const first = { admitted: 1, numbers: [one], waiting: 1 };
    expect(await backend.admit("concert", { count: 1, requestId })).toEqual(first);
    expect(await backend.admit("concert", { count: 1, requestId })).toEqual(first);
    expect(await refusal(backend.admit("concert", { count: 2, requestId }))).toEqual({
      ...REFUSED,
      code: "key_reused",
      message: "The key was used with another request; use a new one.",
    });
    // Two slots: there is room for one more, however many are asked for.
    const third = await client.issue("concert");
    expect(await backend.admit("concert", { count: 5 })).toEqual({
      admitted: 1,
      numbers: [other],
      waiting: 1,
    });
    for (const ticket of [...tickets, third]) await ticket.leave();
  });

  it("what a backend asks for that cannot be is refused", async () => {
    using client = open();
    using backend = openBackend();
    const ticket = await client.issue("concert");
    const [, epoch] = ticket.id.split(":");
    const unknown = {
      ...REFUSED,
      code: "ticket_not_found",
      message: "There is no such ticket, or no longer.",
    };
    const field = (message: string) => ({ ...REFUSED, code: "invalid_field", message });
    expect(await refusal(backend.admit("concert", { count: 0 }))).toEqual(
      field("count: 0 is not from 1 to 10000"),
    );
    expect(await refusal(backend.admit("concert", { count: 10_001 }))).toEqual(
      field("count: 10001 is not from 1 to 10000"),
    );
    expect(await refusal(backend.admit("concert", { requestId: "" }))).toEqual(
      field("request_id: 1 to 255 printable ASCII characters are needed"),
    );
    expect(await refusal(backend.admit("concert", { ticket: "nonsense" }))).toEqual(
      field("ticket_id: not a ticket's id"),
    );
    expect(await refusal(backend.admit("closed", { ticket: ticket.id }))).toEqual(
      field("ticket_id: the ticket is of another queue"),
    );
    expect(await refusal(backend.admit("concert", { ticket: `concert:${epoch}:4000000` }))).toEqual(unknown);
    expect(await refusal(backend.complete(`concert:${"0".repeat(16)}:1`))).toEqual(unknown);
    expect(await refusal(backend.complete(ticket.id))).toEqual({
      ...REFUSED,
      code: "not_admitted",
      message: "The ticket waits, or has ended; only an admitted one can be completed or go on.",
    });
    const admissions = backend.admissions("concert", { cursor: "nonsense" });
    expect(await refusal(admissions.next())).toMatchObject({ code: "misused" });
    expect(await refusal(backend.admissions("nowhere").next())).toMatchObject({ code: "queue_not_found" });
    await ticket.leave();
  });

  it("what has ended stays so, however often it is said", async () => {
    using client = open();
    using backend = openBackend();
    const ticket = await client.issue("concert");
    await backend.admit("concert", { ticket: ticket.id });
    expect(await backend.complete(ticket.id)).toMatchObject({ state: "completed" });
    expect(await backend.complete(ticket.id)).toMatchObject({ state: "completed" });
    expect(await ticket.leave()).toMatchObject({ state: "completed" });
  });

  it("a backend works through the line in the order of admission, and takes up where it was", async () => {
    using backend = openBackend();
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
