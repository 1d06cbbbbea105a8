// Every reason of the contract, met by a client in the way that the contract says; and every bound of what it may say.

import { create } from "@bufbuild/protobuf";
import { Code, createClient, createRouterTransport } from "@connectrpc/connect";
import { StoredRequestSchema } from "@usher/protocol/payload";
import { QueueService } from "@usher/protocol/queue";
import { type Fate, LogError, MemoryStore } from "@usher/ticket-log";
import { describe, expect, it } from "vitest";
import { Access, createQueueService, type Reason, UsherError } from "../src/index.ts";
import { KEYS } from "./support/keys.ts";
import { issueAndFail } from "./support/requests.ts";
import { backend, clientsOf, first, type Refusal, refusalOf } from "./support/rpc.ts";
import { pass, passing, stopClocks, turns } from "./support/time.ts";
import { closeWorlds, issue, kinds, makeQueue, openWorld, type WorldOptions } from "./support/world.ts";

stopClocks();
closeWorlds();

const KEY = "a-key-of-22-characters";
const request = create(StoredRequestSchema, { method: "POST", target: "/" });

async function openRpc(settings: Parameters<typeof makeQueue>[2] = {}, options: WorldOptions = {}) {
  const world = await openWorld(options);
  await makeQueue(world, "q", settings);
  return { world, visitor: clientsOf(world).queue, ...clientsOf(world, backend()) };
}

/** What the listeners refuse by themselves, and their own tests meet. */
type Listeners = "NOT_IMPLEMENTED" | "TOO_LARGE" | "DEADLINE_EXCEEDED";

/** How a client comes to meet each reason. */
const scenes: Record<Exclude<Reason, Listeners>, () => Promise<Refusal>> = {
  async INVALID_FIELD() {
    const { visitor } = await openRpc();
    return refusalOf(visitor.issue({ queue: "No such name!" }));
  },
  async QUEUE_NOT_FOUND() {
    const { visitor } = await openRpc();
    return refusalOf(visitor.issue({ queue: "nowhere" }));
  },
  async TOKEN_INVALID() {
    const { visitor } = await openRpc();
    const { token } = await visitor.issue({ queue: "q" });
    return refusalOf(visitor.getTicket({ token: `${token.slice(0, -1)}_` }));
  },
  async QUEUE_RESET() {
    const { world, visitor } = await openRpc();
    const { token } = await visitor.issue({ queue: "q" });
    await world.close();
    const anew = await openRpc({}, { store: new MemoryStore() });
    return refusalOf(anew.visitor.getTicket({ token }));
  },
  async TICKET_NOT_FOUND() {
    const { visitor } = await openRpc({ key_retention_ms: 1_000 });
    const { token } = await visitor.issue({ queue: "q" });
    await visitor.leave({ token });
    await pass(3_000);
    return refusalOf(visitor.getTicket({ token }));
  },
  async KEY_REUSED() {
    const { queue } = await openRpc();
    await queue.issue({ queue: "q", idempotencyKey: "k", subject: "ann" });
    return refusalOf(queue.issue({ queue: "q", idempotencyKey: "k", subject: "bob" }));
  },
  async KEY_TOO_SHORT() {
    const { visitor } = await openRpc();
    return refusalOf(visitor.issue({ queue: "q", idempotencyKey: KEY.slice(1) }));
  },
  async QUEUE_FULL() {
    const { visitor } = await openRpc({ max_waiting: 1 });
    for (const _ of [1, 2]) await visitor.issue({ queue: "q" });
    return refusalOf(visitor.issue({ queue: "q" }));
  },
  async QUEUE_CLOSED() {
    const { visitor } = await openRpc({ mode: "closed" });
    return refusalOf(visitor.issue({ queue: "q" }));
  },
  async ALREADY_CLAIMED() {
    const { world, visitor } = await openRpc({ kind: "defer" });
    const { token, view } = await issue(world, "q", { store: { request } });
    const claim = { attempt: 1, timeout_ms: 30_000, idempotent: false };
    await world.replica.append({ kind: "dispatch_claimed", queue: "q", number: view.number, ...claim });
    return refusalOf(visitor.leave({ token }));
  },
  async NOT_ADMITTED() {
    const { queue } = await openRpc();
    await queue.issue({ queue: "q" });
    const { status } = await queue.issue({ queue: "q" });
    return refusalOf(queue.complete({ ticketId: status!.ticket!.id }));
  },
  async API_KEY_REQUIRED() {
    const { visitor } = await openRpc();
    return refusalOf(visitor.complete({ ticketId: "q:0000000000000000:1" }));
  },
  async LOG_UNAVAILABLE() {
    let fate: Fate = "written";
    const { visitor } = await openRpc({}, { fate: () => fate });
    fate = "refused";
    return refusalOf(visitor.issue({ queue: "q" }));
  },
  async OUTCOME_UNKNOWN() {
    let fate: Fate = "written";
    const { visitor } = await openRpc({}, { fate: ({ key }) => (key === "q" ? fate : "written") });
    fate = "stuck";
    return passing(refusalOf(visitor.issue({ queue: "q" })));
  },
  async OVERLOADED() {
    const limits = { pending_max: 3 };
    const { visitor } = await openRpc({}, { limits });
    const calls = Array.from({ length: 10 }, () => visitor.issue({ queue: "q" }));
    const refused = (await Promise.allSettled(calls)).findIndex(({ status }) => status === "rejected");
    return refusalOf(calls[refused]!);
  },
  async NOT_READY() {
    const { world, visitor } = await openRpc();
    world.replica.drain();
    return refusalOf(visitor.issue({ queue: "q" }));
  },
  async BEHIND() {
    const { visitor } = await openRpc();
    return passing(refusalOf(visitor.getQueue({ queue: "q", asOf: 1_000_000n })));
  },
  async ETAG_MISMATCH() {
    const { admin } = await openRpc();
    const { queue } = await admin.getQueue({ queue: "q" });
    const update = { queue: "q", etag: queue!.etag, reason: "a test", updateMask: { paths: ["notice"] } };
    await admin.updateQueue({ ...update, settings: { notice: "one" } });
    return refusalOf(admin.updateQueue({ ...update, settings: { notice: "other" } }));
  },
  async NOT_FAILED() {
    const { queue, admin } = await openRpc();
    const { status } = await queue.issue({ queue: "q" });
    return refusalOf(admin.retryRequest({ ticketId: status!.ticket!.id, reason: "a test" }));
  },
  async NO_ROOM() {
    const { world, queue, admin } = await openRpc({ kind: "defer" });
    const failed = await issueAndFail(world, "q");
    await queue.issue({ queue: "q" });
    return refusalOf(admin.retryRequest({ ticketId: failed, reason: "a test" }));
  },
  async INTERNAL() {
    const { world } = await openRpc();
    const bug = new TypeError("a bug");
    class BrokenAccess extends Access {
      override visitor(): never {
        throw bug;
      }
    }
    const access = new BrokenAccess({ keys: KEYS, hashes: world.replica.hashes, require: "backends" });
    const transport = createRouterTransport(({ service }) => {
      service(QueueService, createQueueService(world.replica, access));
    });
    const refusal = await refusalOf(createClient(QueueService, transport).issue({ queue: "q" }));
    expect(world.faults).toEqual([bug]);
    return refusal;
  },
};

describe("a client meets", () => {
  for (const [reason, scene] of Object.entries(scenes)) {
    it(`${reason}, with its code, its words and when to try again`, async () => {
      const { code, retry_ms } = new UsherError(reason as Reason, "");
      const refusal = await scene();
      expect(refusal).toEqual({ ...refusal, reason, code: Code[code], domain: "usher", retry_ms });
      expect(refusal.message.length).toBeGreaterThan(10);
    });
  }
});

type Clients = Awaited<ReturnType<typeof openRpc>>;

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`name ${n}`, ""]));

/** What is out of bounds: which field it is, and the call. */
const outOfBounds: [what: string, field: string, call: (clients: Clients) => Promise<unknown>][] = [
  ["a queue's name that is empty", "queue", ({ visitor }) => visitor.issue({ queue: "" })],
  ["a queue's name of 65 characters", "queue", ({ visitor }) => visitor.issue({ queue: "q".repeat(65) })],
  ["a queue's name with a slash", "queue", ({ visitor }) => visitor.getQueue({ queue: "q/../q" })],
  ["a queue's name with a line's end", "queue", ({ visitor }) => visitor.issue({ queue: "q\n" })],
  [
    "a key of 256 characters",
    "idempotency_key",
    ({ queue }) => queue.issue({ queue: "q", idempotencyKey: "k".repeat(256) }),
  ],
  [
    "a key with a line's end",
    "idempotency_key",
    ({ queue }) => queue.issue({ queue: "q", idempotencyKey: `${KEY}\n` }),
  ],
  [
    "a key beyond ASCII",
    "idempotency_key",
    ({ visitor }) => visitor.issue({ queue: "q", idempotencyKey: `${KEY}é` }),
  ],
  [
    "a subject of 257 bytes",
    "subject",
    ({ queue }) => queue.issue({ queue: "q", subject: `${"é".repeat(128)}x` }),
  ],
  ["17 attributes", "attributes", ({ queue }) => queue.issue({ queue: "q", attributes: many(17) })],
  [
    "an attribute without a name",
    "attributes",
    ({ queue }) => queue.issue({ queue: "q", attributes: { "": "x" } }),
  ],
  [
    "an attribute's name of 65 bytes",
    "attributes",
    ({ queue }) => queue.issue({ queue: "q", attributes: { ["x".repeat(65)]: "" } }),
  ],
  [
    "an attribute of 257 bytes",
    "attributes",
    ({ visitor }) => visitor.issue({ queue: "q", attributes: { a: "x".repeat(257) } }),
  ],
  [
    "an admission of nobody",
    "count",
    ({ queue }) => queue.admit({ queue: "q", requestId: "a", who: { case: "count", value: 0 } }),
  ],
  [
    "an admission of 10,001",
    "count",
    ({ queue }) => queue.admit({ queue: "q", requestId: "a", who: { case: "count", value: 10_001 } }),
  ],
  [
    "an admission of 2^32 - 1",
    "count",
    ({ queue }) => queue.admit({ queue: "q", requestId: "a", who: { case: "count", value: 2 ** 32 - 1 } }),
  ],
  ["an admission that does not say whom", "who", ({ queue }) => queue.admit({ queue: "q", requestId: "a" })],
  [
    "an admission without an id",
    "request_id",
    ({ queue }) => queue.admit({ queue: "q", who: { case: "count", value: 1 } }),
  ],
  [
    "an admission with an id of 256 characters",
    "request_id",
    ({ queue }) => queue.admit({ queue: "q", requestId: "a".repeat(256), who: { case: "count", value: 1 } }),
  ],
  [
    "an admission of what is no ticket",
    "ticket_id",
    ({ queue }) => queue.admit({ queue: "q", requestId: "a", who: { case: "ticketId", value: "q:1" } }),
  ],
  [
    "an admission of another queue's ticket",
    "ticket_id",
    async ({ world, queue }) => {
      await makeQueue(world, "other");
      const { status } = await queue.issue({ queue: "other" });
      return queue.admit({
        queue: "q",
        requestId: "a",
        who: { case: "ticketId", value: status!.ticket!.id },
      });
    },
  ],
  ["the end of what is no ticket", "ticket_id", ({ queue }) => queue.complete({ ticketId: "q:xyz:1" })],
  ["the end of an empty id", "ticket_id", ({ queue }) => queue.complete({ ticketId: "" })],
  ["the end of a huge id", "ticket_id", ({ queue }) => queue.complete({ ticketId: "q".repeat(1_000_000) })],
  ["the admissions of no queue's name", "queue", ({ queue }) => first(queue.watchAdmissions({ queue: "Q" }))],
];

describe("what is out of bounds", () => {
  it.each(outOfBounds)("is refused by its field, and nothing is written: %s", async (_, field, call) => {
    const clients = await openRpc();
    const refusal = await refusalOf(call(clients));
    expect(refusal).toMatchObject({ reason: "INVALID_FIELD", metadata: { field } });
    expect(refusal.message).toContain(field);
    expect(kinds(clients.world.store)).not.toContain("admit_requested");
    const { status } = await clients.visitor.issue({ queue: "q" });
    expect(status!.ticket!.number).toBe(1);
    expect(clients.world.faults).toEqual([]);
  });

  it("begins after what is in bounds", async () => {
    const { queue, visitor } = await openRpc({ max_active: 100 });
    await queue.issue({
      queue: "q",
      idempotencyKey: "~".repeat(255),
      subject: "é".repeat(128),
      attributes: many(16),
    });
    await queue.issue({ queue: "q", attributes: { ["x".repeat(64)]: "y".repeat(256) }, idempotencyKey: " " });
    await visitor.issue({ queue: "q", idempotencyKey: KEY });
    const admit = { queue: "q", requestId: "a".repeat(255) };
    expect(await queue.admit({ ...admit, who: { case: "count", value: 10_000 } })).toMatchObject({
      admitted: 0,
    });
  });
});

describe("a token", () => {
  it.each<[string, (token: string) => string]>([
    ["empty", () => ""],
    ["cut short", (token) => token.slice(0, -1)],
    ["damaged", (token) => `_${token.slice(1)}`],
    ["a megabyte long", (token) => token.repeat(10_000)],
    ["guessed", () => "AAAA".repeat(20)],
  ])("that is %s is refused alike by whatever takes one", async (_, change) => {
    const { visitor } = await openRpc();
    const token = change((await visitor.issue({ queue: "q" })).token);
    const calls = [
      visitor.getTicket({ token }),
      visitor.leave({ token }),
      first(visitor.watchPosition({ token })),
    ];
    const [one, ...others] = await Promise.all(calls.map(refusalOf));
    expect(one).toMatchObject({ reason: "TOKEN_INVALID", code: "Unauthenticated" });
    for (const other of others) expect(other).toEqual(one);
    expect((await visitor.issue({ queue: "q" })).status!.ticket!.number).toBe(2);
  });
});

describe("without an API key", () => {
  const calls: [string, (clients: ReturnType<typeof clientsOf>) => Promise<unknown>][] = [
    ["Admit", ({ queue }) => queue.admit({ queue: "q", requestId: "a", who: { case: "count", value: 1 } })],
    ["WatchAdmissions", ({ queue }) => first(queue.watchAdmissions({ queue: "q" }))],
    ["Complete", ({ queue }) => queue.complete({ ticketId: "q:0000000000000000:1" })],
    ["ListQueues", ({ admin }) => admin.listQueues({})],
    ["GetQueue of the operators", ({ admin }) => admin.getQueue({ queue: "q" })],
    ["UpdateQueue", ({ admin }) => admin.updateQueue({ queue: "q" })],
    ["a subject in Issue", ({ queue }) => queue.issue({ queue: "q", subject: "ann" })],
  ];

  it.each(calls)(
    "%s is refused; with a wrong one too; and where nobody needs one, it is not",
    async (_, call) => {
      const { world } = await openRpc();
      const wrong: Record<string, string>[] = [
        {},
        { authorization: "Bearer x" },
        { "usher-api-key": "wrong" },
      ];
      for (const headers of wrong)
        expect(await refusalOf(call(clientsOf(world, headers)))).toMatchObject({
          reason: "API_KEY_REQUIRED",
        });
      const lifted = await refusalOrNone(call(clientsOf(world, {}, "none")));
      expect(lifted).not.toBe("API_KEY_REQUIRED");
    },
  );

  it("every method is refused where all need one", async () => {
    const { world } = await openRpc();
    const { queue } = clientsOf(world, { authorization: "Bearer x" }, "all");
    const visits: Promise<unknown>[] = [
      queue.issue({ queue: "q" }),
      queue.getTicket({ token: "x" }),
      first(queue.watchPosition({ token: "x" })),
      queue.leave({ token: "x" }),
      queue.getQueue({ queue: "q" }),
    ];
    for (const refusal of await Promise.all(visits.map(refusalOf)))
      expect(refusal).toMatchObject({ reason: "API_KEY_REQUIRED" });
    expect(await clientsOf(world, backend(), "all").queue.issue({ queue: "q" })).toMatchObject({
      existing: false,
    });
  });
});

async function refusalOrNone(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "",
    () => refusalOf(call).then(({ reason }) => reason),
  );
}

describe("a node that cannot read its log", () => {
  it("shows what it last knew, marked stale, and refuses what would have to be written", async () => {
    const { world, visitor, queue, admin } = await openRpc();
    const { token, status } = await visitor.issue({ queue: "q" });
    world.log.failFollowers(new LogError("corrupt", "a gap"));
    await turns();
    const held = await visitor.getTicket({ token });
    expect(held.status).toMatchObject({ stale: true, ticket: { number: 1 } });
    expect((await first(visitor.watchPosition({ token }))).status!.stale).toBe(true);
    expect((await visitor.getQueue({ queue: "q" })).queue!.lastNumber).toBe(1);

    const { end } = world.store;
    const { etag } = (await admin.getQueue({ queue: "q" })).queue!;
    const mask = { paths: ["notice"] };
    const writes: Promise<unknown>[] = [
      visitor.issue({ queue: "q" }),
      visitor.leave({ token }),
      queue.complete({ ticketId: status!.ticket!.id }),
      queue.admit({ queue: "q", requestId: "a", who: { case: "count", value: 1 } }),
      admin.updateQueue({ queue: "q", etag, reason: "r", updateMask: mask, settings: {} }),
    ];
    const [issued, ...others] = await Promise.all(writes.map(refusalOf));
    expect(issued).toMatchObject({ reason: "NOT_READY", code: "Unavailable", retry_ms: 1_000 });
    for (const other of others) {
      expect(other).toMatchObject({ reason: "LOG_UNAVAILABLE", code: "Unavailable", retry_ms: 1_000 });
    }
    expect(world.store.end).toBe(end);
  });
});
