// Calls that make no sense, by every way in: each is refused with its own code and reason, and the next ticket has the
// next number.

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AdmitRequestSchema, IssueRequestSchema } from "@usher/protocol/queue";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { backendOf, callerOf, PORTS, type QueueClient, refusalOf, refusalsOf } from "../support/callers.ts";
import { Ledger } from "../support/ledger.ts";
import { residentBytes } from "../support/memory.ts";
import { startUsher, type Usher } from "../support/usher.ts";

/** Nobody is admitted from any of them but by Admit. */
const CONFIG = `
queues:
  line: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h }
  other: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h }
${PORTS.map((_, n) => `  door-${n}: { kind: defer, mode: paused, limit: { max_active: 10 }, max_wait: 1h }`).join("\n")}
`;

/** 128 bits, as a caller without an API key needs. */
const KEY = "0123456789abcdefABCDEF";

/** What memory may grow by, in bytes, for all rows of this file together; 128 MiB. */
const GROWTH_MAX = 128 * 1_024 * 1_024;

let usher: Usher;
let bytes_before: number;
let line: Ledger;

beforeAll(async () => {
  usher = await startUsher({ config: CONFIG });
  line = new Ledger(backendOf(usher), "line");
  bytes_before = await residentBytes(usher.pid);
});
afterEach(async () => {
  await line.takeNext();
});
afterAll(async () => {
  await line.check();
  expect((await residentBytes(usher.pid)) - bytes_before).toBeLessThan(GROWTH_MAX);
  expect(usher.output()).not.toMatch(/^\s+at /m);
  await usher.stop();
});

describe.each(PORTS.map((port, n) => ({ ...port, port, door: `door-${n}` })))("$name", ({ port, door }) => {
  let backend: QueueClient;
  let visitor: QueueClient;
  beforeAll(() => {
    backend = backendOf(usher, port);
    visitor = callerOf(usher, port);
  });

  const invalid = (field: string) => ({
    code: "InvalidArgument",
    reason: "INVALID_FIELD",
    metadata: { field },
    retry_ms: undefined,
  });

  test("a queue that is not there is not found", async () => {
    const refusal = { code: "NotFound", reason: "QUEUE_NOT_FOUND", metadata: { queue: "nowhere" } };
    const queue = "nowhere";
    const refusals = await refusalsOf(
      backend.issue({ queue }),
      backend.getQueue({ queue }),
      backend.admit({ queue, requestId: "1", who: { case: "count", value: 1 } }),
      first(backend.watchAdmissions({ queue })),
    );
    for (const refused of refusals) expect(refused).toMatchObject(refusal);
  });

  test.each([
    ["no name", ""],
    ["a name that is too long", "q".repeat(65)],
    ["a name in capitals", "LINE"],
    ["a name with a slash", "li/ne"],
    ["a name in Korean", "줄"],
    ["a name with a zero byte", "line\0"],
    ["a name of 60,000 characters", "q".repeat(60_000)],
  ])("%s names no queue", async (_, queue) => {
    const refusals = await refusalsOf(
      backend.issue({ queue }),
      backend.getQueue({ queue }),
      backend.admit({ queue, requestId: "1", who: { case: "count", value: 1 } }),
      first(backend.watchAdmissions({ queue })),
    );
    for (const refused of refusals) expect(refused).toMatchObject(invalid("queue"));
  });

  test.each<[string, string, MessageInitShape<typeof IssueRequestSchema>]>([
    ["an idempotency key that is too long", "idempotency_key", { idempotencyKey: "k".repeat(256) }],
    ["an idempotency key that is not ASCII", "idempotency_key", { idempotencyKey: `${KEY}열쇠` }],
    ["an idempotency key of two lines", "idempotency_key", { idempotencyKey: `${KEY}\r\n` }],
    ["a subject that is too long", "subject", { subject: "s".repeat(257) }],
    ["a subject that is too long in bytes alone", "subject", { subject: "é".repeat(129) }],
    ["too many attributes", "attributes", { attributes: attributes(17) }],
    ["an attribute without a name", "attributes", { attributes: { "": "value" } }],
    ["an attribute whose name is too long", "attributes", { attributes: { ["n".repeat(65)]: "" } }],
    ["an attribute whose value is too long", "attributes", { attributes: { name: "v".repeat(257) } }],
  ])("%s is refused, and the field named", async (_, field, fields) => {
    expect(await refusalOf(backend.issue({ queue: "line", ...fields }))).toMatchObject(invalid(field));
  });

  test("the longest of everything that may be said is taken", async () => {
    const issued = await backend.issue({
      queue: "line",
      idempotencyKey: `${port.name}~`.padEnd(255, "k"),
      subject: "é".repeat(128),
      attributes: attributes(16),
    });
    line.note(issued.status?.ticket?.number, issued.token);
  });

  test("the same key with another subject or other attributes is refused; with the same it is the same ticket", async () => {
    const request = {
      queue: "line",
      idempotencyKey: `${KEY}${port.name}`,
      attributes: { seat: "1", row: "A" },
    };
    const issued = await backend.issue(request);
    line.note(issued.status?.ticket?.number, issued.token);
    const reused = { code: "AlreadyExists", reason: "KEY_REUSED", retry_ms: undefined };
    const others: MessageInitShape<typeof IssueRequestSchema>[] = [
      { attributes: { seat: "2", row: "A" } },
      { attributes: { seat: "1" } },
      { attributes: { seat: "A", row: "1" } },
      { attributes: {} },
      { subject: "somebody" },
    ];
    for (const other of others)
      expect(await refusalOf(backend.issue({ ...request, ...other }))).toMatchObject(reused);
    const again = await backend.issue({ ...request, attributes: { row: "A", seat: "1" } });
    expect(again.existing).toBe(true);
    expect(again.status?.ticket).toMatchObject({ number: line.last });
    const { status } = await backend.getTicket({ token: again.token });
    expect(status?.ticket?.id).toBe(issued.status?.ticket?.id);
  });

  test("calls that need an API key are refused without one, and with one that is none", async () => {
    const required = { code: "Unauthenticated", reason: "API_KEY_REQUIRED" };
    const wrong = ["", "usher_", usher.apiKey.slice(0, -1), `${usher.apiKey}x`, "k".repeat(5_000)];
    for (const caller of [visitor, ...wrong.map((key) => callerOf(usher, port, { "usher-api-key": key }))]) {
      const admit = caller.admit({ queue: "line", requestId: "1", who: { case: "count", value: 1 } });
      expect(await refusalOf(admit)).toMatchObject(required);
      expect(await refusalOf(caller.complete({ ticketId: "line:0:1" }))).toMatchObject(required);
      expect(await refusalOf(first(caller.watchAdmissions({ queue: "line" })))).toMatchObject(required);
      expect(await refusalOf(caller.issue({ queue: "line", subject: "somebody" }))).toMatchObject(required);
    }
  });

  test("a key that could be guessed is refused from a caller without an API key, who may name nobody", async () => {
    const refused = await refusalOf(visitor.issue({ queue: "line", idempotencyKey: KEY.slice(1) }));
    if (port.needsKey) {
      expect(refused).toMatchObject({ code: "Unauthenticated", reason: "API_KEY_REQUIRED" });
      return;
    }
    expect(refused).toMatchObject({
      code: "InvalidArgument",
      reason: "KEY_TOO_SHORT",
      metadata: { field: "idempotency_key" },
    });
  });

  test.each<[string, string, MessageInitShape<typeof AdmitRequestSchema>]>([
    ["a count of 0", "count", { who: { case: "count", value: 0 } }],
    ["a count of 10,001", "count", { who: { case: "count", value: 10_001 } }],
    ["a count of 2^32 - 1", "count", { who: { case: "count", value: 2 ** 32 - 1 } }],
    ["nobody in particular", "who", {}],
    ["a ticket that is none", "ticket_id", { who: { case: "ticketId", value: "line" } }],
    ["a ticket of 60,000 characters", "ticket_id", { who: { case: "ticketId", value: "1".repeat(60_000) } }],
    ["a request without an id", "request_id", { who: { case: "count", value: 1 }, requestId: "" }],
    [
      "an id that is too long",
      "request_id",
      { who: { case: "count", value: 1 }, requestId: "1".repeat(256) },
    ],
    ["an id that is not ASCII", "request_id", { who: { case: "count", value: 1 }, requestId: "요청" }],
  ])("Admit of %s is refused, and admits nobody", async (_, field, fields) => {
    await backend.issue({ queue: door });
    const { queue: before } = await backend.getQueue({ queue: door });
    const refused = await refusalOf(backend.admit({ queue: door, requestId: "bad", ...fields }));
    expect(refused).toMatchObject(invalid(field));
    const { queue: after } = await backend.getQueue({ queue: door });
    expect(after).toEqual(before);
  });

  test("Admit of a ticket of another queue, or of none, is refused", async () => {
    const issued = await backend.issue({ queue: "other" });
    const id = issued.status?.ticket?.id ?? "";
    const admit = (ticketId: string) =>
      refusalOf(backend.admit({ queue: door, requestId: "1", who: { case: "ticketId", value: ticketId } }));
    expect(await admit(id)).toMatchObject(invalid("ticket_id"));
    const [, epoch] = id.split(":");
    const absent = { code: "NotFound", reason: "TICKET_NOT_FOUND" };
    expect(await admit(`${door}:${epoch}:4294967295`)).toMatchObject(absent);
    expect(await admit(`${door}:${"0".repeat(16)}:1`)).toMatchObject(absent);
    const complete = (ticketId: string) => refusalOf(backend.complete({ ticketId }));
    expect(await complete(`${door}:${epoch}:4294967295`)).toMatchObject(absent);
    expect(await complete(id)).toMatchObject({ code: "FailedPrecondition", reason: "NOT_ADMITTED" });
    for (const no of ["", "line", `line:${epoch}`, `line:${epoch}:0`, `:${epoch}:1`])
      expect(await complete(no)).toMatchObject(invalid("ticket_id"));
  });

  test("Admit twice under one request id admits once; with another count under it, nobody", async () => {
    for (let n = 0; n < 5; n++) await backend.issue({ queue: door });
    const two = { queue: door, requestId: "twice", who: { case: "count", value: 2 } } as const;
    const once = await backend.admit(two);
    expect(once.admitted).toBe(2);
    const again = await backend.admit(two);
    expect(again).toEqual(once);
    const reused = { code: "AlreadyExists", reason: "KEY_REUSED" };
    expect(await refusalOf(backend.admit({ ...two, who: { case: "count", value: 3 } }))).toMatchObject(
      reused,
    );
    const { queue } = await backend.getQueue({ queue: door });
    expect(queue?.waiting).toBe(once.waiting);
  });
});

function attributes(count: number): Record<string, string> {
  const names = Array.from({ length: count }, (_, n) => `${n}`.padStart(64, "n"));
  return Object.fromEntries(names.map((name) => [name, "é".repeat(128)]));
}

/** The first message of a stream. */
async function first(stream: AsyncIterable<unknown>): Promise<unknown> {
  for await (const message of stream) return message;
  return undefined;
}
