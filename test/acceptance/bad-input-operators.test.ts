// What operators may not set, and changes that come too late: each is refused with its own code and reason, changes
// nothing, stands in no log, and the next ticket has the next number. The same of bytes that are no call at all.
//
//   sent: what the row says, to AdminService/UpdateQueue in JSON   comes back: 400 invalid_argument, INVALID_FIELD, and
//                                                                  which field, unless the row says otherwise

import { gzipSync } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import { ErrorInfoSchema } from "@usher/protocol/error-details";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { backendOf } from "../support/callers.ts";
import { Ledger } from "../support/ledger.ts";
import { COLLECTABLE, collectedBytes, residentBytes } from "../support/memory.ts";
import { counted } from "../support/metrics.ts";
import { answerOf, envelope, RawGrpc } from "../support/raw-grpc.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const MiB = 1_024 * 1_024;
/** What memory may grow by, for one row: a twelfth of what thirty messages of 50 MiB would take. */
const ROW_GROWTH_MAX = 128 * MiB;
/** What may be left in memory of all rows of this file together, compiled code and the allocator's own keep among it: 40
 * to 50 MiB were seen. */
const GROWTH_MAX = 96 * MiB;
/** The largest length that gRPC can declare. */
const HUGE = 2 ** 32 - 1;

const ADMIN = "/usher.admin.v1.AdminService";
const CHECK = "/envoy.service.auth.v3.Authorization/Check";

let usher: Usher;
let line: Ledger;
let bytes_before: number;

beforeAll(async () => {
  usher = await startUsher({
    env: COLLECTABLE,
    config: `
queues:
  line: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h }
  busy: { kind: pass, limit: { max_active: 3 }, max_wait: 1h }
`,
  });
  line = new Ledger(backendOf(usher), "line");
  bytes_before = await collectedBytes(usher);
});
afterEach(async () => {
  await line.takeNext();
});
afterAll(async () => {
  await line.check();
  const grown_bytes = (await collectedBytes(usher)) - bytes_before;
  expect(grown_bytes).toBeLessThan(GROWTH_MAX);
  expect(usher.output()).not.toMatch(/^\s+at /m);
  await usher.stop();
});

interface Told {
  readonly status: number;
  readonly code: string | undefined;
  readonly reason: string | undefined;
  readonly field: string | undefined;
  readonly body: string;
}

interface Details {
  readonly etag: string;
  readonly revision: number;
  readonly active?: number;
  readonly settings: unknown;
}

/** Calls a method of AdminService. `body`: text goes out as it is, for what JSON in JavaScript cannot say. */
async function call(method: string, body: string | object, key = usher.apiKey): Promise<Told> {
  const res = await fetch(`${usher.gatewayUrl}${ADMIN}/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", "usher-api-key": key },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await res.text();
  const { code, details = [] } = JSON.parse(text) as { code?: string; details?: { value: string }[] };
  const [detail] = details;
  const info = detail && fromBinary(ErrorInfoSchema, Buffer.from(detail.value, "base64"));
  return { status: res.status, code, reason: info?.reason, field: info?.metadata.field, body: text };
}

async function read(queue: string): Promise<Details> {
  return (JSON.parse((await call("GetQueue", { queue })).body) as { queue: Details }).queue;
}

/** Sends a change, in which `settings` is JSON as it stands. */
async function update(settings: string, paths: string, more: object = {}): Promise<Told> {
  const { etag } = await read("line");
  const rest = JSON.stringify({
    queue: "line",
    etag,
    reason: "a row of the table",
    updateMask: paths,
    ...more,
  });
  return call("UpdateQueue", `{"settings":${settings},${rest.slice(1)}`);
}

const INVALID = { status: 400, code: "invalid_argument", reason: "INVALID_FIELD" };

describe("a setting", () => {
  test.each([
    ["no rate and no room", '{"limit":{"ratePerSecond":0,"maxActive":0}}', "limit"],
    ["no limit", "{}", "limit"],
    ["a rate below zero", '{"limit":{"ratePerSecond":-1}}', "limit.ratePerSecond"],
    ["a rate of minus zero, and no room", '{"limit":{"ratePerSecond":-0.0}}', "limit"],
    ["a rate that is infinite", '{"limit":{"ratePerSecond":"Infinity"}}', "limit.ratePerSecond"],
    ["a rate that is infinite, below", '{"limit":{"ratePerSecond":"-Infinity"}}', "limit.ratePerSecond"],
    ["a rate that is no number", '{"limit":{"ratePerSecond":"NaN"}}', "limit.ratePerSecond"],
    ["a rate of 1e300", '{"limit":{"ratePerSecond":1e300}}', "limit.ratePerSecond"],
    ["a rate beyond the most", '{"limit":{"ratePerSecond":1000000.1}}', "limit.ratePerSecond"],
    ["a rate below the least", '{"limit":{"ratePerSecond":0.0001}}', "limit.ratePerSecond"],
    ["room beyond the most", '{"limit":{"maxActive":1000001}}', "limit.maxActive"],
    ["room of 2^32 - 1", '{"limit":{"maxActive":4294967295}}', "limit.maxActive"],
    ["a mode that is none", '{"mode":99}', "mode"],
    ["no mode", "{}", "mode"],
    ["another kind", '{"kind":"QUEUE_KIND_PASS"}', "kind"],
    ["no wait", '{"maxWait":"0s"}', "maxWait"],
    ["a wait that is over before it begins", '{"maxWait":"-1s"}', "maxWait"],
    ["a wait of ten thousand years", '{"maxWait":"315576000000s"}', "maxWait"],
    ["nobody who may wait", '{"maxWaiting":0}', "maxWaiting"],
    ["everybody who may wait", '{"maxWaiting":4294967295}', "maxWaiting"],
    ["no session", '{"session":"0s"}', "session"],
    ["a memory of a year", '{"keyRetention":"31536000s"}', "keyRetention"],
    ["no attempt", '{"attempts":0}', "attempts"],
    ["a hundred and one attempts", '{"attempts":101}', "attempts"],
    ["words without end", `{"notice":"${"x".repeat(501)}"}`, "notice"],
    ["words that move a terminal's cursor", '{"notice":"\\u001b[2J"}', "notice"],
    ["words of two lines", '{"notice":"one\\ntwo"}', "notice"],
    ["words that run backwards", '{"notice":"\\u202eevil"}', "notice"],
  ])("%s: invalid_argument, INVALID_FIELD, and nothing changes", async (_, settings, paths) => {
    const before = await read("line");
    const told = await update(settings, paths);
    expect(told).toMatchObject(INVALID);
    expect(["settings", "update_mask"]).toContain(told.field);
    expect(await read("line")).toMatchObject({ revision: before.revision, settings: before.settings });
  });

  test.each([
    ["a rate in words", '{"limit":{"ratePerSecond":"fast"}}', "limit"],
    ["a rate that JSON cannot hold", '{"limit":{"ratePerSecond":1e999}}', "limit"],
    ["room below zero", '{"limit":{"maxActive":-1}}', "limit"],
    ["half a place", '{"limit":{"maxActive":1.5}}', "limit"],
    ["room of 2^32", '{"limit":{"maxActive":4294967296}}', "limit"],
    ["a mode's name that is none", '{"mode":"QUEUE_MODE_FAST"}', "mode"],
    ["a wait in words", '{"maxWait":"forever"}', "maxWait"],
    ["half a character", '{"notice":"\\ud800"}', "notice"],
    ["a limit that is a list", '{"limit":[]}', "limit"],
    ["settings that are a text", '"fast"', "limit"],
  ])("%s: a message that cannot be read, INVALID_FIELD", async (_, settings, paths) => {
    const before = await read("line");
    expect(await update(settings, paths)).toMatchObject(INVALID);
    expect(await read("line")).toMatchObject({ revision: before.revision, settings: before.settings });
  });
});

describe("a change", () => {
  const NOTICE = '{"notice":"words"}';

  test.each<[string, string, object, object]>([
    ["of nothing", "", {}, { ...INVALID, field: "update_mask" }],
    ["of everything", "*", {}, INVALID],
    ["of what is no setting", "revision", {}, { ...INVALID, field: "update_mask" }],
    ["of a property of objects", "constructor", {}, { ...INVALID, field: "update_mask" }],
    ["of a prototype", "__proto__.notice", {}, INVALID],
    ["of 21 things", Array(21).fill("notice").join(","), {}, { ...INVALID, field: "update_mask" }],
    ["without a reason", "notice", { reason: "" }, { ...INVALID, field: "reason" }],
    ["for a reason of spaces", "notice", { reason: " \t " }, { ...INVALID, field: "reason" }],
    ["for a reason without end", "notice", { reason: "x".repeat(501) }, { ...INVALID, field: "reason" }],
    ["for a reason of two lines", "notice", { reason: "one\ntwo" }, { ...INVALID, field: "reason" }],
    ["of no queue", "notice", { queue: "" }, { ...INVALID, field: "queue" }],
    ["of a queue that is a path", "notice", { queue: "../line" }, { ...INVALID, field: "queue" }],
    [
      "of a queue that is not there",
      "notice",
      { queue: "nowhere" },
      { status: 404, code: "not_found", reason: "QUEUE_NOT_FOUND" },
    ],
    ["without an etag", "notice", { etag: "" }, { status: 409, code: "aborted", reason: "ETAG_MISMATCH" }],
    [
      "with an etag that is made up",
      "notice",
      { etag: "1" },
      { status: 409, code: "aborted", reason: "ETAG_MISMATCH" },
    ],
    [
      "with an etag of 60,000 characters",
      "notice",
      { etag: "1".repeat(60_000) },
      { status: 409, code: "aborted", reason: "ETAG_MISMATCH" },
    ],
  ])("%s is refused, and nothing changes", async (_, paths, more, refusal) => {
    const before = await read("line");
    expect(await update(NOTICE, paths, more)).toMatchObject(refusal);
    expect(await read("line")).toMatchObject({ revision: before.revision, settings: before.settings });
  });

  test.each([
    ["no API key", ""],
    ["half of one", () => usher.apiKey.slice(0, -4)],
    ["one that is none", "usher_x"],
  ])("with %s: unauthenticated, API_KEY_REQUIRED, by every method", async (_, key) => {
    const given = typeof key === "function" ? key() : key;
    const { etag } = await read("line");
    const change = { queue: "line", etag, reason: "none", settings: { notice: "x" }, updateMask: "notice" };
    for (const [method, body] of [
      ["UpdateQueue", change],
      ["GetQueue", { queue: "line" }],
      ["ListQueues", {}],
      ["GetNode", {}],
      ["GetState", {}],
      ["RetryRequest", { ticketId: "line:0:1", reason: "x" }],
    ] as const)
      expect(await call(method, body, given)).toMatchObject({
        ...{ status: 401, code: "unauthenticated", reason: "API_KEY_REQUIRED" },
      });
  });

  test("of which twenty build on one etag is made once, and nineteen are told: aborted, ETAG_MISMATCH", async () => {
    const { etag, revision } = await read("line");
    const told = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        call("UpdateQueue", {
          ...{ queue: "line", etag, reason: `change ${n}` },
          ...{ settings: { notice: `number ${n}` }, updateMask: "notice" },
        }),
      ),
    );
    expect(told.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const { code, reason } of told.filter(({ status }) => status !== 200))
      expect([code, reason]).toEqual(["aborted", "ETAG_MISMATCH"]);
    expect((await read("line")).revision).toBe(revision + 1);
  });

  test("of the room to less than is taken is made, and drives nobody out; nobody comes in until there is room", async () => {
    const backend = backendOf(usher);
    const inside = await Promise.all([1, 2, 3].map(() => backend.issue({ queue: "busy" })));
    for (const { status } of inside) expect(status?.pass).not.toBe("");
    const { etag } = await read("busy");
    const change = { settings: { limit: { maxActive: 1 } }, updateMask: "limit.maxActive" };
    expect(await call("UpdateQueue", { queue: "busy", etag, reason: "less", ...change })).toMatchObject({
      status: 200,
    });
    const late = await backend.issue({ queue: "busy" });
    await backend.complete({ ticketId: inside[0]?.status?.ticket?.id ?? "" });
    await backend.complete({ ticketId: inside[1]?.status?.ticket?.id ?? "" });
    expect((await backend.getTicket({ token: late.token })).status?.ticket?.position).toBe(1);
    expect((await read("busy")).active).toBe(1);
  });

  test("that is refused is counted, by method and code", async () => {
    const labels = (code: string) =>
      `method="usher.admin.v1.AdminService/UpdateQueue",protocol="connect",code="${code}"`;
    const count = (code: string) => counted(usher, "usher_rpc_calls_total", labels(code));
    const before = [await count("INVALID_ARGUMENT"), await count("ABORTED")];
    await update('{"limit":{"ratePerSecond":-1}}', "limit.ratePerSecond");
    await update('{"limit":[]}', "limit");
    await update(NOTICE, "notice", { etag: "old" });
    expect([await count("INVALID_ARGUMENT"), await count("ABORTED")]).toEqual(
      [2, 1].map((more, at) => (before[at] ?? 0) + more),
    );
  });
});

describe.each([`${ADMIN}/UpdateQueue`, `${ADMIN}/ReadLog`, CHECK])("a call of %s", (path) => {
  const bomb = gzipSync(Buffer.alloc(50 * MiB));
  /** A text with a byte that is no UTF-8; and a field that promises more than comes. */
  const noText = Uint8Array.of(0x0a, 3, 0x6c, 0xff, 0x65);
  const cutOff = Uint8Array.of(0x0a, 0x7f, 0x61);
  /** A group of field 15, which no message here has, within another, 10,000 times. */
  const deep = Buffer.concat(Array(10_000).fill(Uint8Array.of(0x7b)));

  test.each<[string, () => Buffer, Record<string, string>, object]>([
    ["that declares 4 GiB", () => envelope(Buffer.alloc(10_000), HUGE), {}, { code: "ResourceExhausted" }],
    ["of 70,000 bytes", () => envelope(Buffer.alloc(70_000)), {}, { code: "ResourceExhausted" }],
    [
      "that inflates to 50 MiB",
      () => envelope(bomb, bomb.length, true),
      { "grpc-encoding": "gzip" },
      { code: "ResourceExhausted" },
    ],
    ["of no UTF-8", () => envelope(noText), {}, { code: "InvalidArgument", reason: "INVALID_FIELD" }],
    ["that is cut off", () => envelope(cutOff), {}, { code: "InvalidArgument", reason: "INVALID_FIELD" }],
    [
      "of groups within groups",
      () => envelope(deep),
      {},
      { code: "InvalidArgument", reason: "INVALID_FIELD" },
    ],
    [
      "in an unknown encoding",
      () => envelope(noText, undefined, true),
      { "grpc-encoding": "br9" },
      { code: "Unimplemented" },
    ],
    [
      "with an absurd time-out",
      () => envelope(noText),
      { "grpc-timeout": "999999999999H" },
      { code: "InvalidArgument" },
    ],
  ])("%s is refused, thirty at once, in little memory", async (_, bytes, headers, refusal) => {
    const message = bytes();
    const before = await residentBytes(usher.pid);
    const answers = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const client = new RawGrpc(usher.gatewayUrl);
        const stream = client.open(path, { "usher-api-key": usher.apiKey, ...headers });
        const answer = answerOf(stream);
        // What says that it is longer than it is goes on for ever.
        if (message.length < 20_000 && message.readUInt32BE(1) === HUGE) stream.write(message);
        else stream.end(message);
        const told = await answer;
        client.close();
        return told;
      }),
    );
    for (const answer of answers) expect(answer).toMatchObject(refusal);
    expect((await residentBytes(usher.pid)) - before).toBeLessThan(ROW_GROWTH_MAX);
  });
});
