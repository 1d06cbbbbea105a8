// A stored request at its turn: sent once, and told exactly what became of it. I13: it is sent again only if it surely
// was not carried out, so nothing here may say `not_connected` of a request of which a byte went out.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { storableHeaders } from "../src/forward/headers.ts";
import { type SendResult, type StoredSend, sendStored } from "../src/forward/send.ts";
import { openDeaf } from "./support/deaf.ts";
import { openEdge } from "./support/edge.ts";
import { openElsewhere } from "./support/elsewhere.ts";
import { exchange } from "./support/raw.ts";
import { closedPort, openAnswering, openHttp, openRaw, openService, until } from "./support/service.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const FINE = "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nfine";

/** Sends a purchase to the port. */
function send(port: number, options: Partial<StoredSend> = {}): Promise<SendResult> {
  return sendStored({
    service: openService(port),
    method: "POST",
    target: "/purchases",
    headers: [
      { name: "host", value: bytes("shop.example") },
      { name: "Content-Type", value: bytes("application/json") },
    ],
    body: bytes('{"seats":1}'),
    timeout_ms: 10_000,
    ...options,
  });
}

/** How many requests came, over all connections. */
function requestsAt({ received }: { received: readonly string[] }): number {
  return received.join("").split("POST /purchases").length - 1;
}

describe("a stored request", () => {
  test("reaches the service with its bytes, its headers in order, and what is added", async () => {
    const service = await openRaw(
      (socket, received) => received.endsWith("\xff!") && socket.write(FINE, "latin1"),
    );
    const result = await send(service.port, {
      target: "/a;b?c=%2f",
      headers: [
        { name: "host", value: bytes("shop.example:81") },
        { name: "X-Bytes", value: bytes("\xe9\xff") },
        { name: "x-two", value: bytes("1") },
        { name: "X-Two", value: bytes("2") },
        // Never of the stored request: they would be of a connection that is no more.
        { name: "Content-Length", value: bytes("999") },
        { name: "Transfer-Encoding", value: bytes("chunked") },
        { name: "Expect", value: bytes("100-continue") },
        { name: "Connection", value: bytes("upgrade") },
      ],
      body: bytes("\0\r\n\xff!"),
      add: [["Usher-Ticket", "17"]],
    });
    expect(service.received).toEqual([
      "POST /a;b?c=%2f HTTP/1.1\r\nhost: shop.example:81\r\nconnection: keep-alive\r\nX-Bytes: \xe9\xff\r\n" +
        "x-two: 1\r\nX-Two: 2\r\nUsher-Ticket: 17\r\ncontent-length: 5\r\n\r\n\0\r\n\xff!",
    ]);
    expect(result).toMatchObject({ kind: "answered", status: 201 });
  });

  test("without a body declares none, or an empty one, as its method wants it", async () => {
    const service = await openAnswering(FINE);
    for (const method of ["GET", "DELETE", "POST"])
      await send(service.port, { method, body: new Uint8Array() });
    expect(service.received.map((received) => /content-length: \d+/.exec(received)?.[0])).toEqual([
      undefined,
      undefined,
      "content-length: 0",
    ]);
  });

  test("that came through the edge keeps what it had, and where it came from", async () => {
    const stored: (readonly [string, string])[] = [];
    const edge = await openEdge((req, res) => {
      stored.push(...storableHeaders(req));
      res.end();
    });
    await exchange(
      edge.port,
      "POST / HTTP/1.1\r\nHost: shop.example\r\nIdempotency-Key: k\r\nX-B: \xe9\r\nUsher-Pass: x\r\n" +
        "Content-Length: 2\r\nConnection: close\r\n\r\nhi",
    );
    const service = await openRaw((socket, received) => received.endsWith("hi") && socket.write(FINE));
    const headers = stored.map(([name, value]) => ({ name, value: bytes(value) }));
    await send(service.port, { headers, body: bytes("hi"), add: [["Usher-Ticket", "17"]] });
    expect(service.received[0]).toMatch(
      /^POST \/purchases HTTP\/1\.1\r\nhost: shop\.example\r\nconnection: keep-alive\r\nIdempotency-Key: k\r\nX-B: \xe9\r\nvia: .*x-forwarded-for: 127\.0\.0\.1\r\n.*Usher-Ticket: 17\r\ncontent-length: 2\r\n\r\nhi$/s,
    );
    expect(service.received[0]).not.toMatch(/usher-pass/i);
  });
});

describe("an answer", () => {
  test("is kept whole: status, end-to-end headers in order, every byte of the body", async () => {
    const body = randomBytes(300_000);
    const port = await openHttp((req, res) => {
      req.resume();
      res.writeHead(207, [
        "X-One",
        "1",
        "Set-Cookie",
        "a",
        "set-cookie",
        "b",
        "Usher-Ticket",
        "9",
        "Date",
        "x",
        "X-B",
        "\xe9",
      ]);
      res.write(body.subarray(0, 100_000));
      setTimeout(() => res.end(body.subarray(100_000)), 10);
    });
    const result = await send(port);
    expect(result).toMatchObject({ kind: "answered", status: 207 });
    if (result.kind !== "answered") return;
    expect(Buffer.compare(result.body, body)).toBe(0);
    expect(result.headers.map(({ name, value }) => [name, Buffer.from(value).toString("latin1")])).toEqual([
      ...[
        ["X-One", "1"],
        ["Set-Cookie", "a"],
        ["set-cookie", "b"],
        ["Date", "x"],
        ["X-B", "\xe9"],
      ],
    ]);
  });

  test.each([
    [
      "after 1xx",
      `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${FINE}`,
      "fine",
    ],
    [
      "with trailers, which are dropped",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\nX: 1\r\n\r\n",
      "fine",
    ],
    ["that is empty", "HTTP/1.1 204 No Content\r\n\r\n", ""],
    ["that is an error", "HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nfine", "fine"],
    ["that is a refusal", "HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nfine", "fine"],
  ])("%s is an answer", async (_, answer, body) => {
    const service = await openRaw((socket, received) => received.endsWith("}") && socket.write(answer));
    const result = await send(service.port);
    expect(result.kind).toBe("answered");
    if (result.kind === "answered") expect(Buffer.from(result.body).toString()).toBe(body);
    expect(requestsAt(service)).toBe(1);
  });

  test("that ends with the connection, in order, is whole", async () => {
    const service = await openRaw(
      (socket, received) => received.endsWith("}") && socket.end("HTTP/1.0 200 OK\r\n\r\nfine"),
    );
    expect(await send(service.port)).toMatchObject({ kind: "answered", body: Buffer.from("fine") });
  });

  test.each([
    ["by its declared length", "Content-Length: 11\r\n\r\n"],
    ["by what comes", `Transfer-Encoding: chunked\r\n\r\nb\r\n${"x".repeat(11)}\r\n`],
    ["without an end", `Connection: close\r\n\r\n${"x".repeat(11)}`],
  ])("larger than is kept, %s, is said to be, and the connection closed", async (_, rest) => {
    const service = await openRaw(
      (socket, received) => received.endsWith("}") && socket.write(`HTTP/1.1 200 OK\r\nX: y\r\n${rest}`),
    );
    const result = await send(service.port, { response_bytes: 10 });
    expect(result).toMatchObject({ kind: "too_large", status: 200 });
    if (result.kind === "too_large") expect(result.headers[0]).toEqual({ name: "X", value: bytes("y") });
    await until(() => service.connections[0]?.closed === true);
    expect(requestsAt(service)).toBe(1);
  });

  test("exactly as large as is kept is kept; to a HEAD, the length is not the answer's own", async () => {
    const service = await openRaw(
      (socket, received) =>
        received.endsWith("}") &&
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n${"x".repeat(10)}`),
    );
    expect(await send(service.port, { response_bytes: 10 })).toMatchObject({ kind: "answered" });
    const head = await openAnswering("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n");
    const request = { method: "HEAD", body: new Uint8Array(), response_bytes: 10 };
    expect(await send(head.port, request)).toMatchObject({ kind: "answered", body: Buffer.alloc(0) });
  });
});

describe("a service that was surely not reached", () => {
  test("is not there", async () => {
    expect(await send(await closedPort())).toMatchObject({
      kind: "not_connected",
      error: { code: "ECONNREFUSED" },
    });
  });

  test("takes no connection", async () => {
    const port = await openDeaf();
    expect(await send(port, { timeout_ms: 60 })).toEqual({ kind: "timed_out", sent: false });
    const service = openService(port, { connect_ms: 60 });
    expect(await send(port, { service })).toEqual({ kind: "timed_out", sent: false });
  });

  test("has as many requests as it may", async () => {
    const silent = await openRaw(() => undefined);
    const service = openService(silent.port, { connections: 1 });
    const first = send(0, { service, timeout_ms: 200 });
    expect(await send(0, { service })).toMatchObject({
      kind: "not_connected",
      error: { name: "ServiceFull" },
    });
    expect(await first).toEqual({ kind: "timed_out", sent: true });
    expect(requestsAt(silent)).toBe(1);
  });

  test("had been closed", async () => {
    const fine = await openAnswering(FINE);
    const service = openService(fine.port);
    await service.close();
    expect(await send(0, { service })).toMatchObject({ kind: "not_connected" });
    expect(fine.connections.length).toBe(0);
  });

  test("was given up before it was reached: nothing goes out, even when it then is", async () => {
    expect(await send(await closedPort(), { signal: AbortSignal.abort() })).toMatchObject({
      kind: "not_connected",
    });
    const service = await openRaw(() => undefined);
    const giveUp = new AbortController();
    const result = send(service.port, {
      signal: giveUp.signal,
      onSent: () => {
        throw new Error("it was sent");
      },
    });
    giveUp.abort();
    expect(await result).toMatchObject({ kind: "not_connected", error: { message: "the sender gave up" } });
    await until(() => service.connections[0]?.closed === true);
    expect(service.received).toEqual([""]);
  });

  test("was not reached in time: nothing goes out, even when it then is", async () => {
    const service = await openRaw(() => undefined);
    const target = openService(service.port);
    const result = send(0, { service: target, timeout_ms: 1 });
    // Keeps the connection from being noticed until the time is over.
    const end = performance.now() + 20;
    while (performance.now() < end);
    expect(await result).toEqual({ kind: "timed_out", sent: false });
    await until(() => target.inFlight === 0);
    expect(requestsAt(service)).toBe(0);
  });
});

describe("a service that may have got it", () => {
  test.each([
    ["closes at the first byte", (socket: { destroy(): void }) => socket.destroy()],
    ["resets at the first byte", (socket: { resetAndDestroy(): void }) => socket.resetAndDestroy()],
    ["ends in order without an answer", (socket: { end(): void }) => socket.end()],
    ["answers garbage", (socket: { write(text: string): void }) => socket.write("\0\x01\x02 what?\r\n\r\n")],
    [
      "answers half a head",
      (socket: { end(text: string): void }) => socket.end("HTTP/1.1 200 OK\r\nContent-Le"),
    ],
    [
      "answers half a body",
      (socket: { end(text: string): void }) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
    ],
    [
      "answers chunks without the last",
      (socket: { end(text: string): void }) =>
        socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
    ],
    [
      "answers with the wrong end",
      (socket: { end(text: string): void }) =>
        socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhalf"),
    ],
    [
      "answers in a coding that nobody asked for",
      (socket: { write(text: string): void }) =>
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ],
  ])("%s: lost", async (_, act) => {
    const service = await openRaw((socket, received) => received !== "" && act(socket));
    expect(await send(service.port)).toMatchObject({ kind: "lost", error: expect.any(Error) });
    expect(requestsAt(service), "and it was not sent a second time").toBe(1);
  });

  test("resets an answer that would have ended with the connection: lost, not whole", async () => {
    const service = await openRaw((socket, received) => {
      if (!received.endsWith("}")) return;
      socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf");
      setTimeout(() => socket.resetAndDestroy(), 20);
    });
    expect(await send(service.port)).toMatchObject({ kind: "lost" });
  });

  test("reads half of a large body and resets: lost", async () => {
    const service = await openRaw((socket, received) => received.length > 1_000 && socket.resetAndDestroy());
    expect(await send(service.port, { body: Buffer.alloc(1_000_000) })).toMatchObject({ kind: "lost" });
    expect(requestsAt(service)).toBe(1);
  });

  test("resets as soon as it is connected: never called unsent once a byte was written", async () => {
    let sent = 0;
    const service = await openRaw((socket) => socket.resetAndDestroy());
    for (let i = 0; i < 20; i += 1) {
      const before = sent;
      const { kind } = await send(service.port, {
        onSent: () => {
          sent += 1;
        },
      });
      expect(kind).toBe(sent > before ? "lost" : "not_connected");
    }
  });

  test("hangs: timed out, and it may have got it; its late answer reaches nobody", async () => {
    const service = await openRaw((socket, received, nth) => {
      if (received.endsWith("}")) setTimeout(() => socket.write(FINE), nth === 0 ? 150 : 0);
    });
    const target = openService(service.port);
    expect(await send(0, { service: target, timeout_ms: 60 })).toEqual({ kind: "timed_out", sent: true });
    await until(() => service.connections[0]?.closed === true);
    expect(await send(0, { service: target })).toMatchObject({ kind: "answered", status: 201 });
    expect(requestsAt(service)).toBe(2);
  });

  test("answers while this process is stopped beyond the time-out: answered, for the answer is there", async () => {
    const port = await openElsewhere();
    // Stopped, as far as sockets and timers can tell: the answer and the end of the time come meanwhile.
    const stop = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    const result = await send(port, { timeout_ms: 200, onSent: () => setImmediate(stop) });
    expect(result).toMatchObject({ kind: "answered", status: 200, body: bytes("fine") });
  });

  test("hangs amid its answer: timed out", async () => {
    const service = await openRaw((socket, received) => {
      if (received.endsWith("}")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    });
    expect(await send(service.port, { timeout_ms: 60 })).toEqual({ kind: "timed_out", sent: true });
  });

  test("is given up on: lost", async () => {
    const service = await openRaw(() => undefined);
    const giveUp = new AbortController();
    const result = send(service.port, { signal: giveUp.signal });
    await until(() => requestsAt(service) === 1);
    giveUp.abort();
    expect(await result).toMatchObject({ kind: "lost" });
    await until(() => service.connections[0]?.closed === true);
  });

  test("is closed under it: lost", async () => {
    const silent = await openRaw(() => undefined);
    const service = openService(silent.port);
    const result = send(0, { service });
    await until(() => requestsAt(silent) === 1);
    await service.close();
    expect(await result).toMatchObject({ kind: "lost" });
  });

  test("closes the connection just as the next request is written to it: lost, and sent once", async () => {
    const service = await openRaw((socket, received) => {
      const count = received.split("}").length - 1;
      if (count === 1) socket.write(FINE);
      if (count === 2) socket.resetAndDestroy();
    });
    const target = openService(service.port);
    const results: SendResult["kind"][] = [];
    for (let i = 0; i < 8; i += 1) results.push((await send(0, { service: target })).kind);
    expect(requestsAt(service)).toBe(8);
    expect(results).toContain("lost");
    expect(new Set(results)).toEqual(new Set(["answered", "lost"]));
  });
});

test("whatever a service does and whenever it ends, each request arrives once at most, and never when called unsent", async () => {
  // A service that is killed and started anew while requests come: `counts` is what it has seen, by request.
  const counts = new Map<string, number>();
  const shared = await closedPort();
  let server = createServer();
  const start = async (): Promise<void> => {
    server = createServer((req, res) => {
      const id = req.headers["x-id"] as string;
      counts.set(id, (counts.get(id) ?? 0) + 1);
      req.resume().on("end", () => setImmediate(() => res.end("fine")));
    });
    server.on("error", () => undefined);
    await once(server.listen(shared, "127.0.0.1"), "listening");
  };
  await start();
  onTestFinished(() => void server.close());

  const service = openService(shared);
  const results = new Map<string, SendResult["kind"]>();
  for (let round = 0; round < 40; round += 1) {
    const batch = Array.from({ length: 10 }, async (_, i) => {
      const id = `${round}-${i}`;
      const headers = [{ name: "x-id", value: bytes(id) }];
      results.set(id, (await send(0, { service, headers })).kind);
    });
    if (round % 3 === 1) {
      setImmediate(() => {
        server.closeAllConnections();
        server.close();
      });
    }
    await Promise.all(batch);
    if (round % 3 === 1) await start();
  }
  const kinds = new Set(results.values());
  for (const [id, kind] of results) {
    const count = counts.get(id) ?? 0;
    expect(count, id).toBeLessThanOrEqual(1);
    if (kind === "not_connected") expect(count, id).toBe(0);
    if (kind === "answered") expect(count, id).toBe(1);
  }
  expect(kinds).toContain("answered");
  expect([...kinds].filter((kind) => kind !== "answered").length).toBeGreaterThan(0);
});
