// Calls that the gateway's libraries turn away before a method hears of them: in every protocol told with a code that
// blames the caller (but for the one that gRPC has told as INTERNAL) and a reason of the contract, and counted by method,
// protocol and code.

import { once } from "node:events";
import { connect } from "node:http2";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { endStreamFromJson, errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { trailerParse } from "@connectrpc/connect/protocol-grpc-web";
import { ErrorInfoSchema } from "@usher/protocol/error-details";
import {
  GetTicketRequestSchema,
  IssueRequestSchema,
  WatchPositionRequestSchema,
} from "@usher/protocol/queue";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backendOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { counted } from "../support/metrics.ts";
import { envelope, RawGrpc } from "../support/raw-grpc.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const SERVICE = "/usher.queue.v1.QueueService";
const ISSUE = `${SERVICE}/Issue`;
const WATCH = `${SERVICE}/WatchPosition`;

/** Longer than the library's answers are before it compresses them, and short enough for a header. */
const LONG = "x".repeat(3_000);

let usher: Usher;
let token: string;

beforeAll(async () => {
  usher = await startUsher({
    config: "queues: { line: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h } }",
    demo: true,
  });
  ({ token } = await backendOf(usher).issue({ queue: "line" }));
});
afterAll(async () => {
  // connect-node writes what it did not expect to standard error, with where it came from.
  expect(usher.output()).not.toMatch(/^\s+at |handler for rpc/m);
  await usher.stop();
});

interface Sent {
  readonly path?: string;
  readonly method?: string;
  /** What follows the protocol's name in the content type. */
  readonly suffix?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
}

interface Told {
  readonly http: number | undefined;
  readonly code: string | undefined;
  readonly reason: string | undefined;
}

type Protocol = "grpc" | "grpc_web" | "connect";

const issue = Buffer.from(toBinary(IssueRequestSchema, create(IssueRequestSchema, { queue: "line" })));
const large = Buffer.from(
  toBinary(IssueRequestSchema, create(IssueRequestSchema, { queue: "line", subject: "x".repeat(70_000) })),
);
const bomb = gzipSync(Buffer.alloc(50 * 1_024 * 1_024));
/** A queue's name with a byte that is no UTF-8. */
const noText = Buffer.of(0x0a, 5, 0x6c, 0x69, 0xff, 0x6e, 0x65);

function told(http: number, error: ConnectError | undefined): Told {
  return {
    http,
    code: error && Code[error.code],
    reason: error?.findDetails(ErrorInfoSchema)[0]?.reason,
  };
}

async function byGrpc({ path = ISSUE, method = "POST", suffix = "", headers, body }: Sent): Promise<Told> {
  const client = new RawGrpc(usher.gatewayUrl);
  try {
    const named = { ":method": method, "content-type": `application/grpc${suffix}`, ...headers };
    return await client.call(path, body ?? Buffer.alloc(0), named);
  } finally {
    client.close();
  }
}

async function byGrpcWeb({ path = ISSUE, method = "POST", suffix = "+proto", headers, body }: Sent) {
  const answer = await fetch(`${usher.gatewayUrl}${path}`, {
    method,
    headers: { "content-type": `application/grpc-web${suffix}`, ...headers },
    ...(body && { body }),
  });
  const [frame] = frames(Buffer.from(await answer.arrayBuffer()));
  expect(frame?.flags).toBe(0x80);
  return told(answer.status, findTrailerError(trailerParse(frame?.held ?? Buffer.alloc(0))));
}

async function byConnect({ path = ISSUE, method = "POST", suffix = "proto", headers, body }: Sent) {
  const answer = await fetch(`${usher.gatewayUrl}${path}`, {
    method,
    headers: method === "GET" ? { ...headers } : { "content-type": `application/${suffix}`, ...headers },
    ...(body && { body }),
  });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (!suffix.startsWith("connect+") || answer.status !== 200)
    return told(answer.status, errorFromJsonBytes(bytes, undefined, new ConnectError("no error")));
  const end = frames(Buffer.from(bytes)).find(({ flags }) => flags === 2);
  return told(answer.status, endStreamFromJson(end?.held ?? Buffer.alloc(0)).error);
}

function frames(bytes: Buffer): { flags: number; held: Buffer }[] {
  if (bytes.length < 5) return [];
  const end = 5 + bytes.readUInt32BE(1);
  return [{ flags: bytes.readUInt8(0), held: bytes.subarray(5, end) }, ...frames(bytes.subarray(end))];
}

function framed(message: Uint8Array, compressed = false): Buffer<ArrayBuffer> {
  return Buffer.from(envelope(message, undefined, compressed));
}

const INVALID = ["InvalidArgument", "INVALID_FIELD"] as const;
const INTERNAL = ["Internal", "INTERNAL"] as const;
const TOO_LARGE = ["ResourceExhausted", "TOO_LARGE"] as const;
const NOWHERE = ["Unimplemented", "NOT_IMPLEMENTED"] as const;

/** How the gRPC family sends it. */
const FRAMED: readonly (readonly [string, Sent, readonly [string, string]])[] = [
  ["bytes that are no message", { body: framed(noText) }, INVALID],
  ["a part of a message", { body: framed(issue).subarray(0, 7) }, INVALID],
  ["no message", { body: Buffer.alloc(0) }, NOWHERE],
  ["two messages", { body: Buffer.concat([framed(issue), framed(issue)]) }, NOWHERE],
  ["a compressed message without an encoding", { body: framed(gzipSync(issue), true) }, INTERNAL],
  [
    "a message that is not in its encoding",
    { headers: { "grpc-encoding": "gzip" }, body: framed(issue, true) },
    INVALID,
  ],
  [
    "the beginning of a compressed message",
    { headers: { "grpc-encoding": "gzip" }, body: framed(gzipSync(issue).subarray(0, 15), true) },
    INVALID,
  ],
  [
    "a message that inflates beyond 64 KiB",
    { headers: { "grpc-encoding": "gzip" }, body: framed(bomb, true) },
    TOO_LARGE,
  ],
  ["a message of more than 64 KiB", { body: framed(large) }, TOO_LARGE],
  ["an encoding that is not known", { headers: { "grpc-encoding": "zstd" }, body: framed(issue) }, NOWHERE],
  [
    "a long one, to a client that takes gzip",
    { headers: { "grpc-encoding": LONG, "grpc-accept-encoding": "gzip" }, body: framed(issue) },
    NOWHERE,
  ],
  ["a time-out that is none", { headers: { "grpc-timeout": "soon" }, body: framed(issue) }, INVALID],
  ["one of a year", { headers: { "grpc-timeout": "9999H" }, body: framed(issue) }, INVALID],
  ["a method that is not there", { path: `${SERVICE}/Nowhere`, body: framed(issue) }, NOWHERE],
];

describe.each([
  ["grpc", byGrpc],
  ["grpc_web", byGrpcWeb],
] as const)("by %s", (_, send) => {
  test.each([...FRAMED])("%s is refused with a reason", async (_, sent, [code, reason]) => {
    expect(await send(sent)).toEqual({ http: 200, code, reason });
  });

  test.each(FRAMED.filter(([, { path }]) => path === undefined))(
    "%s is refused of a stream as well",
    async (_, sent, [code, reason]) => {
      expect(await send({ ...sent, path: WATCH })).toEqual({ http: 200, code, reason });
    },
  );

  test("a content type that is not known is refused with 415 and a reason", async () => {
    const refused = { http: 415, code: "Unimplemented", reason: "NOT_IMPLEMENTED" };
    expect(await send({ suffix: "+xml", body: framed(issue) })).toEqual(refused);
  });

  test("another HTTP method is refused with 405 and a reason", async () => {
    const refused = { http: 405, code: "Unimplemented", reason: "NOT_IMPLEMENTED" };
    expect(await send({ method: "PUT", body: framed(issue) })).toEqual(refused);
  });
});

const GET = { method: "GET", path: `${SERVICE}/GetTicket?connect=v1&encoding=proto` };
const gzip = { "content-encoding": "gzip" };
const ticket = Buffer.from(toBinary(GetTicketRequestSchema, create(GetTicketRequestSchema, { token: "x" })));

describe("by connect", () => {
  test.each<[string, Sent, number, readonly [string, string]]>([
    ["bytes that are no message", { body: noText }, 400, INVALID],
    ["JSON that is none", { suffix: "json", body: Buffer.from("[") }, 400, INVALID],
    ["a message that is not in its encoding", { headers: gzip, body: issue }, 400, INVALID],
    [
      "the beginning of a compressed message",
      { headers: gzip, body: gzipSync(issue).subarray(0, 15) },
      400,
      INVALID,
    ],
    ["a message that inflates beyond 64 KiB", { headers: gzip, body: bomb }, 429, TOO_LARGE],
    ["a message of more than 64 KiB", { body: large }, 429, TOO_LARGE],
    ["an encoding that is not known", { headers: { "content-encoding": "zstd" }, body: issue }, 501, NOWHERE],
    [
      "a long one, to a client that takes gzip",
      { headers: { "content-encoding": LONG, "accept-encoding": "gzip" }, body: issue },
      501,
      NOWHERE,
    ],
    ["a time-out that is none", { headers: { "connect-timeout-ms": "soon" }, body: issue }, 400, INVALID],
    ["one of a year", { headers: { "connect-timeout-ms": "9999999999" }, body: issue }, 400, INVALID],
    ["a method that is not there", { path: `${SERVICE}/Nowhere`, body: issue }, 404, NOWHERE],
    ["a content type that is not known", { suffix: "xml", body: issue }, 415, NOWHERE],
    ["another HTTP method", { method: "PUT", body: issue }, 405, NOWHERE],
    ["a query that is not base64", { ...GET, path: `${GET.path}&base64=1&message=%25%25` }, 400, INVALID],
    [
      "a query that is no message",
      { ...GET, path: `${GET.path}&base64=1&message=${noText.toString("base64url")}` },
      400,
      INVALID,
    ],
    [
      "a query in an encoding that is not known",
      { ...GET, path: `${GET.path}&base64=1&compression=zstd&message=${ticket.toString("base64url")}` },
      501,
      NOWHERE,
    ],
  ])("%s is refused with a reason", async (_, sent, http, [code, reason]) => {
    expect(await byConnect(sent)).toEqual({ http, code, reason });
  });

  const STREAMED = FRAMED.map(([name, sent, refusal]) => {
    const renamed = Object.entries(sent.headers ?? {}).map(([header, value]) => [
      header.replace(/^grpc-(timeout|.*encoding)$/, (_, what) =>
        what === "timeout" ? "connect-timeout-ms" : `connect-${what.replace("encoding", "content-encoding")}`,
      ),
      value,
    ]);
    return [name, { ...sent, headers: Object.fromEntries(renamed) }, refusal] as const;
  });

  test.each(STREAMED.filter(([name, { path }]) => path === undefined && !name.startsWith("one of")))(
    "of a stream, %s is refused with a reason",
    async (_, sent, [code, reason]) => {
      const streamed = { ...sent, path: WATCH, suffix: "connect+proto" };
      expect(await byConnect(streamed)).toEqual({ http: 200, code, reason });
    },
  );
});

/** Watches the one ticket that there is. */
function watching(): Buffer<ArrayBuffer> {
  const request = create(WatchPositionRequestSchema, { token });
  return framed(toBinary(WatchPositionRequestSchema, request));
}

describe("a stream that its client's deadline cuts off", () => {
  test("ends with the reason, by gRPC and by Connect", async () => {
    const refused = { http: 200, code: "DeadlineExceeded", reason: "DEADLINE_EXCEEDED" };
    const body = watching();
    expect(await byGrpc({ path: WATCH, headers: { "grpc-timeout": "50m" }, body })).toEqual(refused);
    const headers = { "connect-timeout-ms": "50" };
    expect(await byConnect({ path: WATCH, suffix: "connect+proto", headers, body })).toEqual(refused);
  });
});

describe("a call whose deadline is over when it comes", () => {
  const refused = { code: "DeadlineExceeded", reason: "DEADLINE_EXCEEDED" };

  test.each<[string, (sent: Sent) => Promise<Told>, Sent, number]>([
    ["gRPC", byGrpc, { headers: { "grpc-timeout": "0n" }, body: framed(issue) }, 200],
    ["gRPC-Web", byGrpcWeb, { headers: { "grpc-timeout": "0n" }, body: framed(issue) }, 200],
    ["Connect", byConnect, { headers: { "connect-timeout-ms": "0" }, body: issue }, 504],
  ])("takes no ticket, by %s", async (_, send, sent, http) => {
    const numberNow = async () => (await backendOf(usher).issue({ queue: "line" })).status?.ticket?.number;
    const before = (await numberNow()) ?? 0;
    expect(await send(sent)).toEqual({ ...refused, http });
    expect(await numberNow()).toBe(before + 1);
  });
});

test.each(["http/1.1", "h2"])(
  "HEAD of a method is refused without a body, by %s, and harms nothing",
  async (version) => {
    const headers = { ":method": "HEAD", ":path": ISSUE };
    if (version === "h2") {
      const session = connect(usher.gatewayUrl);
      const stream = session.request(headers);
      stream.resume().end();
      const [answer] = await once(stream, "response");
      session.close();
      expect(answer).toMatchObject({ ":status": 405, allow: "POST" });
    } else {
      const answer = await fetch(`${usher.gatewayUrl}${ISSUE}`, { method: "HEAD" });
      expect([answer.status, answer.headers.get("allow"), await answer.text()]).toEqual([405, "POST", ""]);
    }
    await backendOf(usher).issue({ queue: "line" });
    expect(usher.output()).not.toMatch(/failed|^\s+at /m);
  },
);

describe("calls are counted by method, protocol and code", () => {
  function count(method: string, protocol: Protocol, code: string): Promise<number> {
    return counted(
      usher,
      "usher_rpc_calls_total",
      `method="${method}",protocol="${protocol}",code="${code}"`,
    );
  }

  const NAME = "usher.queue.v1.QueueService/Issue";

  test.each<[string, Protocol, (sent: Sent) => Promise<unknown>, Sent]>([
    [NAME, "grpc", byGrpc, { body: framed(noText) }],
    [NAME, "grpc_web", byGrpcWeb, { body: framed(noText) }],
    [NAME, "connect", byConnect, { body: noText }],
    [NAME, "connect", byConnect, { headers: { "connect-timeout-ms": "soon" }, body: noText }],
    ["usher.queue.v1.QueueService/WatchPosition", "grpc", byGrpc, { path: WATCH, body: framed(noText) }],
  ])("%s by %s, refused", async (method, protocol, send, sent) => {
    const before = await count(method, protocol, "INVALID_ARGUMENT");
    await send(sent);
    await eventually(async () => expect(await count(method, protocol, "INVALID_ARGUMENT")).toBe(before + 1));
  });

  test("what is called that is not there has one name, whatever it was called", async () => {
    const before = await count("_OTHER", "grpc", "UNIMPLEMENTED");
    for (const name of ["Nowhere", "Issue/", "%49ssue"])
      await byGrpc({ path: `${SERVICE}/${name}`, body: framed(issue) });
    await eventually(async () => expect(await count("_OTHER", "grpc", "UNIMPLEMENTED")).toBe(before + 3));
  });

  test("what went well is OK, and a stream whose client leaves is cancelled", async () => {
    const WATCHED = "usher.queue.v1.QueueService/WatchPosition";
    const counts = () => Promise.all([count(NAME, "grpc", "OK"), count(WATCHED, "grpc", "CANCELLED")]);
    const [issued = 0, cancelled = 0] = await counts();
    await byGrpc({ body: framed(issue) });
    const client = new RawGrpc(usher.gatewayUrl);
    const stream = client.open(WATCH);
    stream.end(watching());
    await new Promise((resolve) => stream.once("data", resolve));
    client.close();
    await eventually(async () => expect(await counts()).toEqual([issued + 1, cancelled + 1]));
  });
});
