// Messages that are too large, or that nobody can read, in every protocol: refused in little memory, however large
// they say they are, and the next ticket has the next number.

import { gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ErrorInfoSchema } from "@usher/protocol/error-details";
import { IssueRequestSchema } from "@usher/protocol/queue";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { backendOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { Ledger } from "../support/ledger.ts";
import { residentBytes } from "../support/memory.ts";
import { counted } from "../support/metrics.ts";
import { exchange, Raw, type RawAnswer } from "../support/raw.ts";
import { answerOf, envelope, RawGrpc } from "../support/raw-grpc.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const SERVICE = "/usher.queue.v1.QueueService";
const ISSUE = `${SERVICE}/Issue`;
const WATCH = `${SERVICE}/WatchPosition`;

const MiB = 1_024 * 1_024;
/** What memory may grow by while the bad input is there: far less than it claims, far more than noise. */
const GROWTH_MAX = 96 * MiB;
/** How many send it at once. */
const AT_ONCE = 32;
/** The largest length that gRPC can declare. */
const HUGE = 2 ** 32 - 1;

let usher: Usher;
let line: Ledger;

beforeAll(async () => {
  usher = await startUsher({
    config: "queues: { line: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h } }",
    demo: true,
  });
  line = new Ledger(backendOf(usher), "line");
});
afterEach(async () => {
  await line.takeNext();
});
afterAll(async () => {
  await line.check();
  expect(usher.output()).not.toMatch(/^\s+at /m);
  await usher.stop();
});

/** Sees that the process has not grown by much once that is done. */
async function inLittleMemory(work: () => Promise<void>): Promise<void> {
  const before = await residentBytes(usher.pid);
  await work();
  expect((await residentBytes(usher.pid)) - before).toBeLessThan(GROWTH_MAX);
}

function atOnce<T>(work: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, work));
}

const large = issueRequest({ queue: "line", subject: "x".repeat(70_000) });
/** 50 MiB of nothing. */
const bomb = gzipSync(Buffer.alloc(50 * MiB));
/** A queue's name with a byte that is no UTF-8. */
const noText = Uint8Array.of(0x0a, 5, 0x6c, 0x69, 0xff, 0x6e, 0x65);

function issueRequest(fields: { queue: string; subject?: string }): Uint8Array {
  return toBinary(IssueRequestSchema, create(IssueRequestSchema, fields));
}

describe.each([
  ["gRPC on the gateway", () => usher.gatewayUrl],
  ["gRPC on the native listener", () => `http://${usher.nativeAddress}`],
])("%s", (_, url) => {
  async function call(body: Uint8Array, headers: Record<string, string> = {}, path = ISSUE) {
    const client = new RawGrpc(url());
    try {
      return await client.call(path, body, headers);
    } finally {
      client.close();
    }
  }

  test("a message that declares 4 GiB is refused, whether more of it comes or not", async () => {
    await inLittleMemory(async () => {
      const answers = await atOnce(async () => {
        const client = new RawGrpc(url());
        const streams = [ISSUE, WATCH].map((path) => client.open(path));
        const answers = streams.map(answerOf);
        for (const stream of streams) stream.write(envelope(Buffer.alloc(10_000), HUGE));
        const told = await Promise.all(answers);
        client.close();
        return told;
      });
      for (const { code } of answers.flat()) expect(code).toBe("ResourceExhausted");
    });
  });

  test("a message that is larger than 64 KiB is refused", async () => {
    expect(await call(envelope(large))).toMatchObject({ code: "ResourceExhausted" });
  });

  test("a message that inflates beyond that is refused in little memory", async () => {
    await inLittleMemory(async () => {
      const answers = await atOnce(() =>
        call(envelope(bomb, bomb.length, true), { "grpc-encoding": "gzip" }),
      );
      for (const { code } of answers) expect(code).toBe("ResourceExhausted");
    });
  });

  test("text that is no UTF-8, and bytes that are no message, are refused", async () => {
    const refusal = { http: 200, code: "InvalidArgument", reason: "INVALID_FIELD" };
    for (const bytes of [noText, Uint8Array.of(0x0a, 0x7f, 0x61), Buffer.alloc(30_000, 0x2b)])
      for (const path of [ISSUE, WATCH]) expect(await call(envelope(bytes), {}, path)).toMatchObject(refusal);
  });

  test("no message, two messages, and a part of one are refused", async () => {
    const message = envelope(issueRequest({ queue: "line" }));
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.concat([message, message]),
      message.subarray(0, 3),
      message.subarray(0, 7),
    ]) {
      const { code } = await call(bytes);
      expect(["Unimplemented", "InvalidArgument"]).toContain(code);
    }
  });

  test("another content type is refused with 415", async () => {
    for (const type of ["text/plain", "application/grpc+xml", "application/x-www-form-urlencoded"])
      expect(await call(envelope(large), { "content-type": type })).toMatchObject({ http: 415 });
  });

  test("another encoding, a time-out that is none, and a method that is not there are refused", async () => {
    const message = envelope(issueRequest({ queue: "line" }));
    const encoded = envelope(issueRequest({ queue: "line" }), undefined, true);
    expect(await call(encoded, { "grpc-encoding": "zstd" })).toMatchObject({ code: "Unimplemented" });
    expect(await call(message, { "grpc-timeout": "soon" })).toMatchObject({ code: "InvalidArgument" });
    const nowhere = await call(message, {}, `${SERVICE}/Nowhere`);
    expect(nowhere).toMatchObject({ http: 200, code: "Unimplemented", reason: "NOT_IMPLEMENTED" });
    expect(await call(message, { ":method": "PUT" })).toMatchObject({ http: 405 });
  });

  test("a call that is reset midway leaves no ticket behind", async () => {
    const client = new RawGrpc(url());
    await atOnce(async () => {
      const stream = client.open(ISSUE);
      stream.write(envelope(issueRequest({ queue: "line" })).subarray(0, 7));
      await new Promise((resolve) => stream.close(8, () => resolve(undefined)));
    });
    client.close();
  });
});

describe("Connect and gRPC-Web on the gateway", () => {
  interface Sent {
    readonly path?: string;
    readonly method?: string;
    readonly type?: string;
    readonly body?: string | Uint8Array;
    /** What Content-Length says; default: the truth. */
    readonly length?: number;
    readonly headers?: string;
  }

  async function send(sent: Sent): Promise<RawAnswer> {
    const { path = ISSUE, method = "POST", type, body = "", length, headers = "" } = sent;
    const bytes = Buffer.from(body);
    const contentType = type === undefined ? "" : `Content-Type: ${type}\r\n`;
    const raw = await Raw.open(usher.gatewayUrl);
    raw.send(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${contentType}${headers}`);
    raw.send(`Content-Length: ${length ?? bytes.length}\r\n\r\n`).socket.write(bytes);
    try {
      return await raw.answer();
    } finally {
      raw.close();
    }
  }

  const JSON_TYPE = "application/json";

  test.each<[string, Sent, (answer: RawAnswer) => unknown, unknown]>([
    ["in JSON", { type: JSON_TYPE, length: HUGE, body: "{" }, codeOf, "resource_exhausted"],
    ["in binary", { type: "application/proto", length: HUGE, body: "\n" }, codeOf, "resource_exhausted"],
    [
      "in a stream",
      { path: WATCH, type: "application/connect+proto", body: envelope(Buffer.alloc(9), HUGE) },
      ({ body }) => /"code":"resource_exhausted"/.test(body),
      true,
    ],
    [
      "by gRPC-Web",
      { type: "application/grpc-web+proto", body: envelope(Buffer.alloc(9), HUGE) },
      ({ body }) => /grpc-status: 8\b/.test(body),
      true,
    ],
  ])("a message of 4 GiB %s is refused, though little of it came", async (_, sent, read, refusal) => {
    await inLittleMemory(async () => {
      const answers = await atOnce(() => send(sent));
      for (const answer of answers) expect(read(answer)).toBe(refusal);
    });
  });

  test("a body without end is refused in little memory", async () => {
    await inLittleMemory(async () => {
      const raw = await Raw.open(usher.gatewayUrl);
      raw.send(`POST ${ISSUE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`);
      raw.send("Transfer-Encoding: chunked\r\n\r\n");
      const chunk = `10000\r\n${" ".repeat(65_536)}\r\n`;
      const answer = raw.answer();
      const sent = sendWithoutEnd(raw, chunk);
      expect(codeOf(await answer)).toBe("resource_exhausted");
      await sent;
    });
  });

  test("a message that inflates beyond 64 KiB is refused in little memory", async () => {
    await inLittleMemory(async () => {
      const headers = "Content-Encoding: gzip\r\n";
      for (const answer of await atOnce(() => send({ type: JSON_TYPE, headers, body: bomb })))
        expect(codeOf(answer)).toBe("resource_exhausted");
    });
  });

  test.each<[string, Sent["body"]]>([
    ["nothing", ""],
    ["half an object", '{"queue":'],
    ["a list", "[]"],
    ["null", "null"],
    ["brackets without end", "[".repeat(60_000)],
    ["a name that stands twice", '{"queue":"line","queue":"line"}'],
    ["a number for a text", '{"queue":1}'],
    ["half a character", '{"queue":"line","attributes":{"a":"\\ud800"}}'],
    ["no UTF-8", Buffer.from('{"queue":"line","attributes":{"a":"\xff"}}', "latin1")],
    ["a prototype", '{"__proto__":{"queue":"line"}}'],
  ])("JSON of %s is refused as invalid", async (_, body) => {
    const answer = await send({ type: JSON_TYPE, body });
    expect([answer.status, codeOf(answer), reasonOf(answer)]).toEqual([
      400,
      "invalid_argument",
      "INVALID_FIELD",
    ]);
    // A deadline takes a call out of the lane of the plainest, to connect-node.
    const headers = "Connect-Timeout-Ms: 5000\r\n";
    const other = await send({ type: JSON_TYPE, headers, body });
    expect([other.status, reasonOf(other)]).toEqual([400, "INVALID_FIELD"]);
  });

  test.each(["", "Connect-Timeout-Ms: 5000\r\n"])(
    "bytes that are no message are refused as invalid",
    async (headers) => {
      for (const body of [noText, Uint8Array.of(0x0a, 0x7f, 0x61), Buffer.alloc(30_000, 0x2b)]) {
        const answer = await send({ type: "application/proto", headers, body });
        expect([answer.status, codeOf(answer), reasonOf(answer)]).toEqual([
          400,
          "invalid_argument",
          "INVALID_FIELD",
        ]);
      }
    },
  );

  test("what cannot be read is counted by method, protocol and code, however it came", async () => {
    const count = (protocol: string) => {
      const labels = `method="usher.queue.v1.QueueService/Issue",protocol="${protocol}",code="INVALID_ARGUMENT"`;
      return counted(usher, "usher_rpc_calls_total", labels);
    };
    const counts = () => Promise.all([count("connect"), count("grpc")]);
    const [connect = 0, grpc = 0] = await counts();
    for (const headers of ["", "Connect-Timeout-Ms: 5000\r\n"])
      await send({ type: JSON_TYPE, headers, body: "[]" });
    const client = new RawGrpc(usher.gatewayUrl);
    await client.call(ISSUE, envelope(noText));
    client.close();
    await eventually(async () => expect(await counts()).toEqual([connect + 2, grpc + 1]));
  });

  test.each(["-1", "4294967296", "1.5", "1e300", '"NaN"', "true", "[1]"])(
    "Admit of %s in JSON is refused as invalid",
    async (count) => {
      const body = `{"queue":"line","requestId":"1","count":${count}}`;
      const answer = await send({ path: `${SERVICE}/Admit`, type: JSON_TYPE, body });
      expect([answer.status, codeOf(answer)]).toEqual([400, "invalid_argument"]);
    },
  );

  test.each([
    undefined,
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/xml",
  ])("a content type of %s is refused with 415", async (type) => {
    expect((await send({ type, body: '{"queue":"line"}' })).status).toBe(415);
  });

  test("another method is refused with 405, and a method of the service that is not there with 404", async () => {
    for (const method of ["GET", "PUT", "DELETE"])
      expect((await send({ method, type: JSON_TYPE })).status).toBe(405);
    for (const path of [`${SERVICE}/Nowhere`, `${SERVICE}/`, `${SERVICE}/issue`])
      expect((await send({ path, type: JSON_TYPE, body: "{}" })).status).toBe(404);
  });

  test("a call of no host, or of one that cannot be, is refused with 400", async () => {
    for (const [host, reason] of [
      ["HTTP/1.0", "host_missing"],
      ["HTTP/1.1\r\nHost: localhost:99999", "host_invalid"],
      ["HTTP/1.1\r\nHost: 1.2.3.999", "host_invalid"],
      ["HTTP/1.1\r\nHost: [::1::]", "host_invalid"],
    ]) {
      const head = `POST ${ISSUE} ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
      const answer = await exchange(usher.gatewayUrl, head);
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.body)).toMatchObject({ type: `urn:usher:problem:${reason}` });
    }
  });

  test("a time-out that is none is refused as invalid", async () => {
    for (const timeout of ["soon", "-1", "99999999999"]) {
      const headers = `Connect-Timeout-Ms: ${timeout}\r\n`;
      const answer = await send({ type: JSON_TYPE, headers, body: '{"queue":"line"}' });
      expect(codeOf(answer)).toBe("invalid_argument");
    }
  });

  /** Of `google.rpc.ErrorInfo`. */
  function reasonOf({ body }: RawAnswer): string | undefined {
    const { details } = JSON.parse(body) as { details?: { value: string }[] };
    const [detail] = details ?? [];
    return detail && fromBinary(ErrorInfoSchema, Buffer.from(detail.value, "base64")).reason;
  }

  function codeOf({ body }: RawAnswer): string {
    return (JSON.parse(body) as { code: string }).code;
  }
});

/** Sends until the other side has closed. */
async function sendWithoutEnd(raw: Raw, chunk: string): Promise<void> {
  while (!raw.socket.destroyed) {
    if (!raw.socket.write(chunk))
      await new Promise((resolve) => raw.socket.once("drain", resolve).once("close", resolve));
  }
}
