// Clients that hardly send, or do not read: each is cut off at its limit, holds no slot beyond it, and takes no memory
// to speak of, while everybody else is served. All of them begin together, and each test waits for its own to end: the
// limits are the real ones, half a minute at most.

import { type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import type { Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { WatchPositionRequestSchema } from "@usher/protocol/queue";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { backendOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { Ledger } from "../support/ledger.ts";
import { residentBytes } from "../support/memory.ts";
import { Raw } from "../support/raw.ts";
import { answerOf, envelope, type GrpcAnswer, RawGrpc } from "../support/raw-grpc.ts";
import { type Rogue, response, sound, startRogue } from "../support/rogue.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const MiB = 1_024 * 1_024;
/** A stored answer: more than the kernel holds for a client that does not read. */
const LARGE = 14 * MiB;
/** What memory may grow by, with all of them there. */
const GROWTH_MAX = 128 * MiB;
const READERS = 20;
/** Streams of places that nobody reads, on each port. */
const WATCHERS = 100;
/** Tickets ahead of the one that they watch. */
const AHEAD = 40;
/** Longer than the longest limit, for the test's own patience. */
const PATIENCE_MS = 60_000;

let shop: Rogue;
let usher: Usher;
let line: Ledger;
/** When everybody began. */
let before: { readonly bytes: number };
/** Bytes of the endless answer that the shop could send. */
let streamed = 0;
let slow: Awaited<ReturnType<typeof begin>>;
let watched: string;
const ahead: string[] = [];

beforeAll(async () => {
  shop = await startRogue();
  shop.conduct = (socket, request) => {
    if (request.target === "/stream") return streamWithoutEnd(socket);
    if (request.target !== "/big") return sound(socket, request);
    socket.write(response(200, "x".repeat(LARGE)));
  };
  usher = await startUsher({
    config: `
services: { shop: { url: ${shop.url} } }
queues:
  line:   { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h }
  big:    { kind: defer, mode: queue_all, limit: { max_active: 1 }, max_wait: 1h }
  fast:   { kind: defer, limit: { max_active: 1 }, max_wait: 1h }
  stream: { kind: defer, limit: { max_active: 1 }, max_wait: 1h }
routes:
  - { match: /line, service: shop, queue: line, hold: 0s }
  - { match: /big, service: shop, queue: big, hold: 0s, response_bytes: ${15 * MiB} }
  - { match: /fast, service: shop, queue: fast, hold: 0s, timeout: 5m }
  - { match: /stream, service: shop, queue: stream, hold: 0s, timeout: 5m }
  - { match: /short, service: shop, queue: stream, hold: 0s, timeout: 5m }
`,
    demo: true,
  });
  line = new Ledger(backendOf(usher), "line");
  const bigTicket = await post("/big");
  await endOf(bigTicket);
  for (let n = 0; n < AHEAD; n++) ahead.push((await line.takeNext()).token);
  watched = (await line.takeNext()).token;
  before = { bytes: await residentBytes(usher.pid) };
  slow = await begin(bigTicket);
});
afterEach(async () => {
  await line.takeNext();
});
afterAll(async () => {
  slow.end();
  await line.check();
  expect(usher.output()).not.toMatch(/^\s+at /m);
  await usher.stop();
  await shop.leave();
});

/** Sends a request that has to wait; returns where its ticket is. */
async function post(path: string): Promise<string> {
  const res = await fetch(`${usher.gatewayUrl}${path}`, { method: "POST", body: "{}" });
  expect([res.status, await res.text()]).toEqual([202, expect.stringContaining('"ticket"')]);
  return res.headers.get("location") ?? "";
}

/** The status of the answer at the end of a wait. */
function endOf(location: string): Promise<number> {
  return eventually(async () => {
    const res = await fetch(new URL(location, usher.gatewayUrl), { redirect: "manual" });
    await res.body?.cancel();
    if (res.status === 200) throw new Error("still waiting");
    return res.status;
  }, PATIENCE_MS);
}

async function streamWithoutEnd(socket: Socket): Promise<void> {
  socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
  while (!socket.destroyed) {
    streamed += chunk.length;
    if (!socket.write(chunk))
      await new Promise((resolve) => socket.once("drain", resolve).once("close", resolve));
  }
}

/** Sends a head, and then a byte now and then, until it is cut off; tells what came. */
async function drip(head: string, byte = "x"): Promise<string> {
  const raw = (await Raw.open(usher.gatewayUrl)).send(head);
  const timer = setInterval(() => raw.send(byte), 2_000);
  const seen = await raw.closed();
  clearInterval(timer);
  return seen;
}

const POST = (path: string, headers = "Content-Length: 100000") =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n`;
const ISSUE = "/usher.queue.v1.QueueService/Issue";
const WATCH = "/usher.queue.v1.QueueService/WatchPosition";

/** Lets everybody begin. */
async function begin(bigTicket: string) {
  const http2 = connectHttp2(usher.gatewayUrl);
  const silentHttp2 = connectHttp2(usher.gatewayUrl);
  for (const session of [http2, silentHttp2]) session.on("error", () => undefined);
  const halfBody = http2.request({ ":method": "POST", ":path": "/line", "content-length": "100000" });
  halfBody.write("x");
  const halfCall = (url: string): Promise<GrpcAnswer> => {
    const stream = new RawGrpc(url).open(ISSUE);
    stream.write(envelope(Buffer.alloc(10), 60_000));
    return answerOf(stream);
  };
  const native = `http://${usher.nativeAddress}`;

  const fast = await deaf(`${POST("/fast")}x`);
  const streaming = await deaf("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await eventually(() => expect(shop.inFlight).toBe(1));
  return {
    nothing: Raw.open(usher.gatewayUrl).then((raw) => raw.closed()),
    halfPreface: drip("PR", ""),
    silentHttp2: new Promise((resolve) => silentHttp2.once("close", resolve)),
    halfPrefaceNative: Raw.open(native).then((raw) => raw.send("PRI * HTTP/2.0").closed()),
    head: drip("POST /line HTTP/1.1\r\nHost: localhost\r\nX-Slow: "),
    silentBody: drip(`${POST("/line")}x`, ""),
    drippingBody: drip(POST("/line")),
    drippingChunks: drip(POST("/line", "Transfer-Encoding: chunked"), "1\r\nx\r\n"),
    halfBody: statusOf(halfBody),
    call: drip(POST(ISSUE, "Content-Type: application/json\r\nContent-Length: 1000")),
    halfCall: halfCall(usher.gatewayUrl),
    nativeCall: halfCall(native),
    fast,
    behindFast: await eventually(() => post("/fast")),
    streaming,
    behindStreaming: await post("/short"),
    watchers: [usher.gatewayUrl, native].map((url) => {
      const client = new RawGrpc(url, { initialWindowSize: 0 });
      const request = envelope(
        toBinary(WatchPositionRequestSchema, create(WatchPositionRequestSchema, { token: watched })),
      );
      for (let n = 0; n < WATCHERS; n++) client.open(WATCH).end(request);
      return client;
    }),
    large: await Promise.all(
      Array.from({ length: READERS }, () =>
        deaf(`GET ${bigTicket}/response HTTP/1.1\r\nHost: localhost\r\n\r\n`),
      ),
    ),
    end(): void {
      http2.destroy();
      silentHttp2.destroy();
      for (const client of this.watchers) client.close();
    },
  };
}

/** Sends a request, and reads nothing. */
async function deaf(request: string): Promise<Raw> {
  const raw = (await Raw.open(usher.gatewayUrl)).send(request);
  raw.socket.pause();
  return raw;
}

function statusOf(stream: ClientHttp2Stream): Promise<number | undefined> {
  let status: number | undefined;
  stream.on("response", (headers) => {
    status = headers[":status"];
  });
  stream.on("error", () => undefined).resume();
  return new Promise((resolve) => stream.once("close", () => resolve(status)));
}

const TOO_SLOW = /^HTTP\/1\.1 408 .*urn:usher:problem:request_too_slow/s;

describe("a client that sends a byte a minute, or less,", () => {
  test("of what would tell its protocol loses its connection, on either port", async () => {
    expect(await slow.nothing).toBe("");
    expect(await slow.halfPreface).toBe("");
    await slow.halfPrefaceNative;
  });

  test("of HTTP/2, after its greeting, loses its connection", async () => {
    await slow.silentHttp2;
  });

  test("of its headers is told so, and closed", async () => {
    expect(await slow.head).toMatch(TOO_SLOW);
  });

  test.each(["silentBody", "drippingBody", "drippingChunks"] as const)(
    "of its body is told so, and takes no ticket (%s)",
    async (which) => {
      expect(await slow[which]).toMatch(TOO_SLOW);
    },
  );

  test("of its body over HTTP/2 is told so, and takes no ticket", async () => {
    expect(await slow.halfBody).toBe(408);
  });

  test("of a call is cut off, in every protocol, and takes no ticket", async () => {
    expect(await slow.call).toMatch(TOO_SLOW);
    expect((await slow.halfCall).code).toBeUndefined();
    expect(await slow.nativeCall).toMatchObject({ code: "DeadlineExceeded" });
  });

  test("of a request that was let through at once gives its slot back, to whoever waits for it", async () => {
    expect(await endOf(slow.behindFast)).toBe(303);
    slow.fast.socket.resume();
    expect(await slow.fast.closed()).not.toMatch(/^HTTP\/1\.1 2/);
  });
});

describe("a client that stops reading", () => {
  test("an answer without end holds up the service, and gives its slot back, to whoever waits for it", async () => {
    expect(await endOf(slow.behindStreaming)).toBe(303);
    // What the kernel holds for the two connections, and little more.
    expect(streamed).toBeLessThan(48 * MiB);
    slow.streaming.socket.resume();
    const seen = await slow.streaming.closed();
    expect(seen).toMatch(/^HTTP\/1\.1 200 /);
    expect(seen).not.toMatch(/\r\n0\r\n\r\n$/);
  });

  test("the stream of its place, on either port, takes little memory, however its place changes", async () => {
    const client = backendOf(usher);
    for (const token of ahead) await client.leave({ token });
    const { status } = await client.getTicket({ token: watched });
    expect(status?.ticket?.position).toBe(1);
    expect((await residentBytes(usher.pid)) - before.bytes).toBeLessThan(GROWTH_MAX);
  });

  test("its stored answer takes no memory of its own, and is cut off", async () => {
    expect((await residentBytes(usher.pid)) - before.bytes).toBeLessThan(GROWTH_MAX);
    for (const raw of slow.large) raw.socket.resume();
    for (const raw of slow.large) {
      const seen = await raw.closed();
      expect(seen).toMatch(/^HTTP\/1\.1 200 /);
      expect(seen.length).toBeLessThan(LARGE);
    }
  });
});
