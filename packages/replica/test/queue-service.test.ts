// `usher.queue.v1.QueueService`, called as a client calls it.

import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { QueueKind, QueueMode, RequestState, TicketState } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import { epochOf } from "../src/keys/tokens.ts";
import { all, backend, clientsOf, first, refusalOf } from "./support/rpc.ts";
import { pass, passing, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, entriesOf, makeQueue, openWorld, type World } from "./support/world.ts";

stopClocks();
closeWorlds();

/** As long as a key of nobody in particular must be. */
const KEY = "a-key-of-22-characters";

async function open(settings: Parameters<typeof makeQueue>[2] = {}): Promise<World> {
  const world = await openWorld();
  await makeQueue(world, "q", settings);
  return world;
}

describe("Issue", () => {
  it("gives out numbers in order, with a place, a token and an id that names the ticket for ever", async () => {
    const world = await open();
    const { queue } = clientsOf(world);
    const answers = [
      await queue.issue({ queue: "q" }),
      await queue.issue({ queue: "q" }),
      await queue.issue({ queue: "q" }),
    ];
    const epoch = epochOf(world.replica.fold.genesis!, 1);
    for (const [n, { status, token, existing }] of answers.entries()) {
      expect(existing).toBe(false);
      expect(token).toMatch(/^[\w-]{40,135}$/);
      expect(status).toMatchObject({
        pass: n === 0 ? expect.stringMatching(/^ey/) : "",
        stale: false,
        notice: "",
        asOf: expect.any(BigInt),
      });
      expect(status!.ticket).toMatchObject({
        id: `q:${epoch}:${n + 1}`,
        queue: "q",
        number: n + 1,
        position: n,
        state: n === 0 ? TicketState.ADMITTED : TicketState.WAITING,
        requestState: RequestState.UNSPECIFIED,
      });
      expect(timestampMs(status!.ticket!.issuedAt!)).toBe(Date.now());
    }
    expect(new Set(answers.map(({ token }) => token)).size).toBe(3);
  });

  it("gives the same ticket, and its token, for the same key of the same caller; of another caller, another", async () => {
    const world = await open();
    const callers = [
      clientsOf(world, backend(0)),
      clientsOf(world, backend(1)),
      clientsOf(world, { authorization: "Bearer a" }),
      clientsOf(world, { authorization: "Bearer b" }),
      clientsOf(world),
    ];
    for (const [n, { queue }] of callers.entries()) {
      const ask = () => queue.issue({ queue: "q", idempotencyKey: KEY });
      const [one, other] = await Promise.all([ask(), ask()]);
      expect([one.existing, other.existing].sort()).toEqual([false, true]);
      const again = await ask();
      expect(again.existing).toBe(true);
      for (const { status } of [one, other, again]) expect(status!.ticket!.number).toBe(n + 1);
      const held = await queue.getTicket({ token: again.token });
      expect(held.status!.ticket!.number).toBe(n + 1);
    }
  });

  it("gives another ticket each time without a key, and in another queue with the same key", async () => {
    const world = await open();
    await makeQueue(world, "other");
    const { queue } = clientsOf(world, backend());
    const numbers = [];
    for (const name of ["q", "q", "other"]) {
      const { existing } = await queue.issue({ queue: name, idempotencyKey: name === "q" ? "" : "k" });
      expect(existing).toBe(false);
      numbers.push(world.replica.fold.queue(name)!.lastNumber);
    }
    expect(await queue.issue({ queue: "q", idempotencyKey: "k" })).toMatchObject({ existing: false });
    expect(numbers).toEqual([1, 2, 1]);
  });

  it("keeps a key to what it was asked with, whatever the order in which attributes come", async () => {
    const world = await open();
    const { queue } = clientsOf(world, backend());
    const ask = (subject: string, attributes: Record<string, string>) =>
      queue.issue({ queue: "q", idempotencyKey: "k", subject, attributes });
    const first = await ask("ann", { a: "1", b: "2" });
    expect(await ask("ann", { b: "2", a: "1" })).toMatchObject({ existing: true, token: expect.any(String) });
    const others: [string, Record<string, string>][] = [
      ["ann", { a: "1" }],
      ["ann", { a: "1", b: "3" }],
      ["ann", { a: "2", b: "1" }],
      ["", { a: "1", b: "2" }],
      ["ann", {}],
    ];
    for (const [subject, attributes] of others)
      expect(await refusalOf(ask(subject, attributes))).toMatchObject({
        reason: "KEY_REUSED",
        code: "AlreadyExists",
      });
    expect(first.status!.ticket!.number).toBe(world.replica.fold.queue("q")!.lastNumber);
  });

  it("tells attributes apart by where a name ends, in whatever order they come", async () => {
    const world = await open();
    const { queue } = clientsOf(world, backend());
    // Joined by a comma, as arrays are when they are sorted, both of these are "a,b,c".
    const ask = (attributes: Record<string, string>) =>
      queue.issue({ queue: "q", idempotencyKey: "k", attributes });
    await ask({ "a,b": "c", a: "b,c" });
    expect(await ask({ a: "b,c", "a,b": "c" })).toMatchObject({ existing: true });
  });

  it("gives one live ticket to a subject of a pass queue, and another once that has ended", async () => {
    const world = await open();
    const { queue } = clientsOf(world, backend());
    const ask = () => queue.issue({ queue: "q", subject: "ann" });
    const first = await ask();
    expect(await ask()).toMatchObject({ existing: true, status: { ticket: { number: 1 } } });
    await queue.complete({ ticketId: first.status!.ticket!.id });
    expect(await ask()).toMatchObject({ existing: false, status: { ticket: { number: 2 } } });
  });

  it("gives nobody without an API key a slot of a queue in which requests wait, and says what to do instead", async () => {
    const world = await open({ kind: "defer" });
    const anonymous = [clientsOf(world), clientsOf(world, { authorization: "Bearer a" })];
    for (const { queue } of anonymous) {
      for (const idempotencyKey of ["", KEY])
        expect(await refusalOf(queue.issue({ queue: "q", idempotencyKey }))).toMatchObject({
          code: "Unauthenticated",
          reason: "API_KEY_REQUIRED",
          metadata: { field: "queue" },
          message: expect.stringMatching(
            /holds a slot.*usher-api-key.*send the request itself to the gateway/,
          ),
          retry_ms: undefined,
        });
    }
    expect(world.replica.fold.queue("q")).toMatchObject({ lastNumber: 0, active: 0 });
    const trusted = [clientsOf(world, backend()), clientsOf(world, {}, "none")];
    for (const { queue } of trusted) await queue.issue({ queue: "q" });
    expect(world.replica.fold.queue("q")).toMatchObject({ lastNumber: 2 });
  });
});

describe("GetTicket", () => {
  it("tells where a ticket stands: its place, what it may still wait, and when to ask again", async () => {
    const world = await open({ rate_thousandths: 2_000, max_active: 0, notice: "Soon." });
    const { queue } = clientsOf(world);
    const tokens = [];
    for (let n = 0; n < 30; n++) tokens.push((await queue.issue({ queue: "q" })).token);
    await pass(5_000);
    const { status } = await queue.getTicket({ token: tokens[29]! });
    const { ticket } = status!;
    const wait = world.replica.fold.queue("q")!.wait(ticket!.position!)!;
    expect(ticket!.position).toBeGreaterThan(15);
    expect(durationMs(ticket!.waitP50!)).toBe(Math.round(wait.p50_ms));
    expect(durationMs(ticket!.waitP90!)).toBeGreaterThan(durationMs(ticket!.waitP50!));
    const retry_ms = durationMs(status!.retryAfter!);
    expect(retry_ms).toBeGreaterThanOrEqual(1_000);
    expect(retry_ms).toBeLessThanOrEqual(30_000);
    expect(status).toMatchObject({ notice: "Soon.", stale: false });

    const admitted = (await queue.getTicket({ token: tokens[0]! })).status!;
    expect(admitted.ticket).toMatchObject({ position: 0, state: TicketState.ADMITTED });
    expect(admitted.ticket!.waitP50).toBeUndefined();
    expect(admitted.ticket!.admittedAt).toBeDefined();
    await queue.leave({ token: tokens[0]! });
    const ended = (await queue.getTicket({ token: tokens[0]! })).status!;
    expect(ended.ticket!.state).toBe(TicketState.LEFT);
    expect(ended.ticket!.position).toBeUndefined();
    expect(ended.ticket!.endedAt).toBeDefined();
    expect(ended.retryAfter).toBeUndefined();
  });

  it("waits for this node to read as far as the caller has seen, a second at most", async () => {
    const world = await open();
    const { queue } = clientsOf(world);
    const { token, status } = await queue.issue({ queue: "q" });
    const ahead = queue.getTicket({ token, asOf: status!.asOf + 2n });
    await turns();
    await Promise.all([queue.issue({ queue: "q" }), queue.issue({ queue: "q" })]);
    expect((await ahead).status!.asOf).toBeGreaterThanOrEqual(status!.asOf + 2n);
    for (const asOf of [10_000n, 2n ** 64n - 1n]) {
      const refusal = await passing(refusalOf(queue.getTicket({ token, asOf })));
      expect(refusal).toMatchObject({ code: "Unavailable", reason: "BEHIND", retry_ms: 200 });
    }
  });

  it("is never to be cached, as it is told with a token", async () => {
    const world = await open();
    const { queue } = clientsOf(world);
    const { token } = await queue.issue({ queue: "q" });
    let headers = new Headers();
    await queue.getTicket({ token }, { onHeader: (received) => (headers = received) });
    expect(headers.get("cache-control")).toBe("no-store");
  });
});

describe("WatchPosition", () => {
  it("tells the place at once, each step, and the end; then the stream is over", async () => {
    const world = await open();
    const { queue } = clientsOf(world, backend());
    const issued = [];
    for (let n = 0; n < 3; n++) issued.push(await queue.issue({ queue: "q" }));
    const told = all(queue.watchPosition({ token: issued[2]!.token }));
    await turns();
    for (const { status } of issued) {
      await queue.complete({ ticketId: status!.ticket!.id });
      await pass(250);
    }
    const messages = await told;
    expect(messages.map(({ status }) => status!.ticket!.position)).toEqual([2, 1, 0, undefined]);
    expect(messages.at(-1)!.status!.ticket!.state).toBe(TicketState.COMPLETED);
    expect(messages.every(({ reconnectAfter }) => reconnectAfter === undefined)).toBe(true);
  });

  it("tells clients of a node that shuts down to come back, each at another moment, with the place as it is then", async () => {
    const world = await open();
    const { queue } = clientsOf(world, backend());
    const one = await queue.issue({ queue: "q" });
    await queue.issue({ queue: "q" });
    const { token } = await queue.issue({ queue: "q" });
    const streams = Array.from({ length: 20 }, () => all(queue.watchPosition({ token })));
    await turns(40);
    // Between two rounds: those who watch have not been told yet that they moved.
    await queue.complete({ ticketId: one.status!.ticket!.id });
    world.replica.drain();
    const ends = (await Promise.all(streams)).map((messages) => messages.at(-1)!);
    const delays = ends.map(({ reconnectAfter }) => durationMs(reconnectAfter!));
    expect(new Set(delays).size).toBeGreaterThan(10);
    for (const delay of delays) expect(delay).toBeLessThanOrEqual(2_000);
    for (const { status } of ends) {
      expect(status!.ticket!.position).toBe(1);
      expect(status!.asOf).toBe(BigInt(world.store.end));
    }
    const late = await all(queue.watchPosition({ token }));
    expect(late).toMatchObject([{ status: { ticket: { position: 1 } }, reconnectAfter: expect.anything() }]);
  });

  it("tells of the end, and not to come back, when the ticket ended just as the node began to shut down", async () => {
    const world = await open();
    const { queue } = clientsOf(world, backend());
    const { token, status } = await queue.issue({ queue: "q" });
    const stream = queue.watchPosition({ token })[Symbol.asyncIterator]();
    await stream.next();
    await queue.complete({ ticketId: status!.ticket!.id });
    world.replica.drain();
    const messages = [];
    for (let next = await stream.next(); !next.done; next = await stream.next()) messages.push(next.value);
    expect(messages.at(-1)!.status!.ticket!.state).toBe(TicketState.COMPLETED);
    expect(messages.at(-1)!.reconnectAfter).toBeUndefined();
  });
});

describe("a stream that its client's deadline cuts off", () => {
  it("ends as cut off, and leaves no watcher behind", async () => {
    const world = await open();
    const { queue } = clientsOf(world, backend());
    await queue.issue({ queue: "q" });
    const { token } = await queue.issue({ queue: "q" });
    const streams = [
      all(queue.watchPosition({ token }, { timeoutMs: 1_000 })),
      all(queue.watchAdmissions({ queue: "q" }, { timeoutMs: 1_000 })),
    ];
    for (const refusal of await passing(Promise.all(streams.map(refusalOf))))
      expect(refusal.code).toBe("DeadlineExceeded");
    await turns();
    expect(world.replica.places.watchers).toBe(0);
  });
});

describe("Leave", () => {
  it("gives a ticket up, waiting or admitted; doing so again changes nothing", async () => {
    const world = await open();
    const { queue } = clientsOf(world);
    const tokens = [(await queue.issue({ queue: "q" })).token, (await queue.issue({ queue: "q" })).token];
    for (const token of tokens.reverse()) {
      expect((await queue.leave({ token })).status!.ticket!.state).toBe(TicketState.LEFT);
      expect((await queue.leave({ token })).status!.ticket!.state).toBe(TicketState.LEFT);
    }
    expect(world.replica.fold.queue("q")).toMatchObject({ waiting: 0, active: 0, remembered: 2 });
  });
});

describe("GetQueue", () => {
  it("tells how a queue stands, to anybody, for a second's caching", async () => {
    const world = await open({ notice: "Tonight only." });
    const { queue } = clientsOf(world);
    for (let n = 0; n < 3; n++) await queue.issue({ queue: "q" });
    let headers = new Headers();
    const answer = await queue.getQueue({ queue: "q" }, { onHeader: (received) => (headers = received) });
    expect(answer.queue).toMatchObject({
      name: "q",
      kind: QueueKind.PASS,
      mode: QueueMode.AUTO,
      waiting: 2,
      nowServing: 1,
      lastNumber: 3,
      notice: "Tonight only.",
    });
    expect(answer.queue!.pacePerSecond).toBeUndefined();
    expect(answer.asOf).toBe(BigInt(world.store.end));
    expect(headers.get("cache-control")).toBe("public, max-age=1");
  });
});

describe("Admit", () => {
  it("admits from the front, or one by name, beyond the rate and within max_active", async () => {
    const world = await open({ mode: "paused", max_active: 4 });
    const { queue } = clientsOf(world, backend());
    const ids = [];
    for (let n = 0; n < 8; n++) ids.push((await queue.issue({ queue: "q" })).status!.ticket!.id);
    const admit = (requestId: string, who: Parameters<typeof queue.admit>[0]["who"]) =>
      queue.admit({ queue: "q", requestId, who });
    expect(await admit("a", { case: "count", value: 2 })).toMatchObject({
      admitted: 2,
      numbers: [1, 2],
      waiting: 6,
    });
    expect(await admit("b", { case: "ticketId", value: ids[6]! })).toMatchObject({
      admitted: 1,
      numbers: [7],
    });
    expect(await admit("c", { case: "count", value: 10_000 })).toMatchObject({
      admitted: 1,
      numbers: [3],
      waiting: 4,
    });
    expect(await admit("d", { case: "count", value: 1 })).toMatchObject({
      admitted: 0,
      numbers: [],
      waiting: 4,
    });
    // Nothing is carried over.
    await queue.complete({ ticketId: ids[0]! });
    expect(world.replica.fold.queue("q")).toMatchObject({ active: 3, waiting: 4 });
  });

  it("admits nobody twice under one request id, and tells the same each time; of another backend it is another id", async () => {
    const world = await open({ mode: "paused", max_active: 10 });
    const { queue } = clientsOf(world, backend(0));
    for (let n = 0; n < 6; n++) await queue.issue({ queue: "q" });
    const admit = { queue: "q", requestId: "once", who: { case: "count", value: 2 } } as const;
    const answers = await Promise.all([queue.admit(admit), queue.admit(admit), queue.admit(admit)]);
    for (const answer of answers) expect(answer).toMatchObject({ admitted: 2, numbers: [1, 2], waiting: 4 });
    expect(await clientsOf(world, backend(1)).queue.admit(admit)).toMatchObject({ numbers: [3, 4] });
    const other = { ...admit, who: { case: "count", value: 3 } } as const;
    expect(await refusalOf(queue.admit(other))).toMatchObject({ reason: "KEY_REUSED" });
    expect(world.replica.fold.queue("q")!.active).toBe(4);
  });
});

describe("WatchAdmissions", () => {
  it("hands over who was admitted, with what Issue was told, and a cursor to come back with", async () => {
    const world = await open({ max_active: 2 });
    const { queue } = clientsOf(world, backend());
    const attributes = { seat: "12", row: "é" };
    const one = await queue.issue({ queue: "q", subject: "ann", attributes });
    await queue.issue({ queue: "q" });
    await queue.issue({ queue: "q", subject: "bob" });
    const stream = queue.watchAdmissions({ queue: "q" })[Symbol.asyncIterator]();
    const told = [(await stream.next()).value, (await stream.next()).value];
    expect(told).toMatchObject([
      { cursor: 1n, ticket: { number: 1 }, subject: "ann", attributes },
      { cursor: 2n, ticket: { number: 2 }, subject: "", attributes: {} },
    ]);
    const third = stream.next();
    await queue.complete({ ticketId: one.status!.ticket!.id });
    expect((await third).value).toMatchObject({ cursor: 3n, ticket: { number: 3 }, subject: "bob" });
    world.replica.drain();
    const last = (await stream.next()).value!;
    expect([last.cursor, last.ticket]).toEqual([3n, undefined]);
    expect(durationMs(last.reconnectAfter!)).toBeLessThanOrEqual(2_000);
    expect((await stream.next()).done).toBe(true);
  });

  it("goes on after the cursor, and shows with it that it lives", async () => {
    const world = await open({ max_active: 5 });
    const { queue } = clientsOf(world, backend());
    for (let n = 0; n < 3; n++) await queue.issue({ queue: "q" });
    expect(await first(queue.watchAdmissions({ queue: "q", cursor: 2n }))).toMatchObject({ cursor: 3n });
    const alive = await first(queue.watchAdmissions({ queue: "q", cursor: 3n }));
    expect([alive.cursor, alive.ticket, alive.reconnectAfter]).toEqual([3n, undefined, undefined]);
  });
});

describe("Complete", () => {
  it("ends an admitted ticket, lets the next in, and may be called again", async () => {
    const world = await open();
    const { queue } = clientsOf(world, backend());
    const ids = [];
    for (let n = 0; n < 2; n++) ids.push((await queue.issue({ queue: "q" })).status!.ticket!.id);
    for (const _ of [1, 2])
      expect((await queue.complete({ ticketId: ids[0]! })).ticket).toMatchObject({
        state: TicketState.COMPLETED,
      });
    expect(world.replica.fold.queue("q")).toMatchObject({ waiting: 0, active: 1, nowServing: 2 });
  });
});

describe("what a ticket's id names", () => {
  it("is that ticket alone, however large the number in it", async () => {
    const world = await open();
    const { queue } = clientsOf(world, backend());
    const { id } = (await queue.issue({ queue: "q" })).status!.ticket!;
    for (const number of [2 ** 32 + 1, 9_999_999_999]) {
      const refusal = await refusalOf(queue.complete({ ticketId: id.replace(/:1$/, `:${number}`) }));
      expect(refusal).toMatchObject({ reason: "INVALID_FIELD", metadata: { field: "ticket_id" } });
    }
    expect(await refusalOf(queue.complete({ ticketId: id.replace(/:1$/, ":2") }))).toMatchObject({
      reason: "TICKET_NOT_FOUND",
    });
    expect(world.replica.fold.queue("q")!.active).toBe(1);
    expect(world.faults).toEqual([]);
  });
});

describe("the log", () => {
  it("holds no token, key, subject or attribute that a caller has sent", async () => {
    const world = await open();
    const { queue } = clientsOf(world, backend());
    const wish = {
      queue: "q",
      idempotencyKey: KEY,
      subject: "ann@example.com",
      attributes: { seat: "row twelve" },
    };
    const { token } = await queue.issue(wish);
    await queue.leave({ token });
    const log = Buffer.concat(entriesOf(world.store).map(({ value }) => value));
    for (const secret of [KEY, "ann@example.com", "row twelve", "seat", token, backend()["usher-api-key"]!])
      expect(log.includes(secret)).toBe(false);
  });
});
