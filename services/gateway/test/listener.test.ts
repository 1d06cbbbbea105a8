import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  type ClientHttp2Session,
  connect as connect2,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import type { Writable } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { BindError, listen } from "../src/listener/listener.ts";
import { openEdge } from "./support/edge.ts";
import { exchange, problemOf, Raw, statusOf } from "./support/raw.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

function openSession(port: number): ClientHttp2Session {
  const session = connect2(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  onTestFinished(() => session.destroy());
  return session;
}

/** A GET over HTTP/2: status, body, and how the stream ended. */
async function get2(session: ClientHttp2Session, path = "/", headers: OutgoingHttpHeaders = {}) {
  const stream = session.request({ ":path": path, ...headers });
  let status = 0;
  let body = "";
  stream.on("error", () => undefined);
  stream.on("response", (headers) => {
    status = headers[":status"] ?? 0;
  });
  stream.setEncoding("utf8").on("data", (text: string) => {
    body += text;
  });
  await new Promise((resolve) => stream.once("close", resolve));
  return { status, body, code: stream.rstCode };
}

describe("one port", () => {
  test("answers HTTP/1.1 and HTTP/2 alike, by the same handler", async () => {
    const edge = await openEdge((req, res) => void res.end(`${req.httpVersion} ${req.url}`));
    expect(await exchange(edge.port, LAST)).toMatch(/^HTTP\/1\.1 200 OK.*1\.1 \/$/s);
    expect(await get2(openSession(edge.port), "/x")).toMatchObject({ status: 200, body: "2.0 /x" });
  });

  test("loses nothing of a request that comes byte by byte, or all at once with the next", async () => {
    const edge = await openEdge(async (req, res) => {
      let body = "";
      for await (const chunk of req) body += chunk;
      res.end(`[${req.method} ${req.url} ${body}]`);
    });
    const raw = await Raw.open(edge.port);
    raw.socket.setNoDelay(true);
    for (const byte of "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc") {
      raw.send(byte);
      await new Promise(setImmediate);
    }
    await raw.until(/\[POST \/1 abc\]/);
    raw.send("POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    await raw.until(/\[POST \/2 x\].*\[GET \/3 \]/s);
    raw.socket.destroy();
  });

  test("takes the first bytes of HTTP/2 one by one", async () => {
    const edge = await openEdge((_req, res) => void res.end("fine"));
    const raw = await Raw.open(edge.port);
    for (const byte of "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0") {
      raw.send(byte);
      await new Promise(setImmediate);
    }
    // A SETTINGS frame first of all, and the acknowledgement of ours.
    const ack = "\0\0\0\x04\x01\0\0\0\0";
    while (!raw.seen.includes(ack)) await once(raw.socket, "data");
    expect(raw.seen.charCodeAt(3)).toBe(4);
    raw.socket.destroy();
  });

  test("answers what only begins like HTTP/2 as the broken HTTP/1.1 that it is", async () => {
    const edge = await openEdge((_req, res) => void res.end("fine"));
    expect(statusOf(await exchange(edge.port, "PRX / HTTP/1.1\r\nHost: a\r\n\r\n"))).toBe(400);
  });

  test.each(["", "PR"])("closes a connection that sends %j and no more", async (bytes) => {
    const edge = await openEdge((_req, res) => void res.end("fine"), { first_byte_ms: 50 });
    expect(await exchange(edge.port, bytes)).toBe("");
    expect(statusOf(await exchange(edge.port, LAST))).toBe(200);
  });

  test("takes what had come in time, though this process was too busy to look", async () => {
    const edge = await openEdge((_req, res) => void res.end("fine"), { first_byte_ms: 50 });
    const raw = await Raw.open(edge.port);
    while (edge.connections === 0) await new Promise(setImmediate);
    raw.send(LAST);
    const busyUntil_ms = performance.now() + 100;
    while (performance.now() < busyUntil_ms);
    expect(statusOf(await raw.closed())).toBe(200);
  });

  test("closes a connection whose client ends, or resets it, before the first byte", async () => {
    const edge = await openEdge((_req, res) => void res.end("fine"));
    const ended = await Raw.open(edge.port);
    ended.socket.end();
    await ended.closed();
    const reset = await Raw.open(edge.port);
    reset.socket.resetAndDestroy();
    expect(statusOf(await exchange(edge.port, LAST))).toBe(200);
    while (edge.connections > 0) await new Promise(setImmediate);
  });
});

describe("an address", () => {
  const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === "::1"),
  );

  test.runIf(hasIPv6)("localhost is both of its addresses, and no other", async () => {
    const edge = await openEdge((_req, res) => void res.end("fine"));
    for (const host of ["127.0.0.1", "::1"])
      expect(statusOf(await (await Raw.open(edge.port, host)).send(LAST).closed())).toBe(200);
    const outside = Object.values(networkInterfaces()).flatMap(
      (all) => all?.filter((one) => !one.internal) ?? [],
    );
    for (const { address, family } of outside)
      if (family === "IPv4") await expect(Raw.open(edge.port, address)).rejects.toThrow("ECONNREFUSED");
  });

  test.each(["127.0.0.1", "::1"])("a port in use at %s is named, with what to do", async (host) => {
    if (host === "::1" && !hasIPv6) return;
    const other = createServer().listen(0, host);
    await once(other, "listening");
    onTestFinished(() => void other.close());
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const failure = listen({ port, handler: () => undefined, onFault: () => undefined });
    await expect(failure).rejects.toThrow(BindError);
    await expect(failure).rejects.toMatchObject({ code: "port_in_use" });
    await expect(failure).rejects.toThrow(new RegExp(`port ${port} is in use .*(stop|choose)`));
  });

  test("an address of another machine is refused in words", async () => {
    const failure = listen({
      host: "192.0.2.1",
      port: 0,
      handler: () => undefined,
      onFault: () => undefined,
    });
    await expect(failure).rejects.toMatchObject({ code: "address_unavailable" });
  });

  test("a given address is the only one", async () => {
    const listener = await listen({
      host: "127.0.0.1",
      port: 0,
      handler: (_req, res) => void res.end("fine"),
      onFault: () => undefined,
    });
    onTestFinished(async () => void (await listener.close({ grace_ms: 0 })));
    expect(listener.url).toBe(`http://127.0.0.1:${listener.port}`);
    expect(statusOf(await exchange(listener.port, LAST))).toBe(200);
    await expect(Raw.open(listener.port, "::1")).rejects.toThrow();
  });
});

describe("a limit", () => {
  test("on connections: one more is closed at once, and fits when another has gone", async () => {
    const edge = await openEdge((_req, res) => void res.end("fine"), { connections: 2 });
    const first = (await Raw.open(edge.port)).send(GET);
    const second = (await Raw.open(edge.port)).send(GET);
    await Promise.all([first.until(/fine/), second.until(/fine/)]);
    expect(await exchange(edge.port, GET)).toBe("");
    first.socket.destroy();
    while (edge.connections > 1) await new Promise(setImmediate);
    expect(statusOf(await exchange(edge.port, LAST))).toBe(200);
    second.socket.destroy();
  });

  test("on requests: one more is told to come again, over either protocol", async () => {
    const held: (() => void)[] = [];
    const edge = await openEdge((_req, res) => void held.push(() => res.end("fine")), { requests: 2 });
    const session = openSession(edge.port);
    const waiting = [get2(session), exchange(edge.port, LAST)];
    while (edge.requests < 2) await new Promise(setImmediate);
    const refused = await exchange(edge.port, LAST);
    expect(statusOf(refused)).toBe(503);
    expect(refused).toMatch(/\r\nretry-after: 1\r\n/);
    expect(problemOf(refused).type).toBe("urn:usher:problem:overloaded");
    expect(await get2(session)).toMatchObject({ status: 503 });
    for (const answer of held) answer();
    await Promise.all(waiting);
    expect(held.length).toBe(2);
  });

  test("on the time for headers: a client that dawdles is told so, and closed", async () => {
    const edge = await openEdge((_req, res) => void res.end("fine"), {
      headers_ms: 60,
      request_ms: 60,
      check_ms: 20,
    });
    const answer = await exchange(edge.port, "GET / HTTP/1.1\r\nHost:");
    expect(statusOf(answer)).toBe(408);
    expect(problemOf(answer).type).toBe("urn:usher:problem:request_too_slow");
  });

  test("on the time between two requests: the connection is closed", async () => {
    const edge = await openEdge((_req, res) => void res.end("fine"), { keep_alive_ms: 30 });
    expect(await exchange(edge.port, GET)).toMatch(/fine$/);
  });

  test("on what a client leaves untaken: its connection is cut", async () => {
    const edge = await openEdge((_req, res) => void res.end(Buffer.alloc(32 * 1_024 * 1_024)), {
      stalled_ms: 100,
    });
    const raw = (await Raw.open(edge.port)).send(GET);
    raw.socket.pause();
    while (edge.connections > 0) await new Promise(setImmediate);
    expect(edge.requests).toBe(0);
    raw.socket.destroy();
  });

  test("does not count the time in which the answer is late, however silent the connection is", async () => {
    const edge = await openEdge((_req, res) => void setTimeout(() => res.end("late"), 300), {
      stalled_ms: 50,
      keep_alive_ms: 50,
    });
    expect(await exchange(edge.port, LAST)).toMatch(/late$/);
    expect(await get2(openSession(edge.port))).toMatchObject({ status: 200, body: "late" });
  });
});

describe("a limit of HTTP/2", () => {
  test("on what a client leaves untaken: the stream is given up, the others go on", async () => {
    const edge = await openEdge(
      (req, res) => void res.end(req.url === "/large" ? Buffer.alloc(1e7) : "fine"),
      {
        stalled_ms: 100,
      },
    );
    const session = openSession(edge.port);
    const stream = session.request({ ":path": "/large" });
    stream.on("error", () => undefined);
    stream.pause();
    stream.on("aborted", () => stream.resume());
    await once(stream, "close");
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    expect(await get2(session)).toMatchObject({ status: 200, body: "fine" });
  });

  test("on silence: a client that no longer answers is cut", async () => {
    const edge = await openEdge(() => undefined, { stalled_ms: 50, ping_ms: 50 });
    const raw = await Raw.open(edge.port);
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    // HEADERS of stream 1: GET http /, authority "a". After it, the client reads all and answers nothing.
    raw.send("\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a");
    while (edge.requests === 0) await new Promise(setImmediate);
    await raw.closed();
    while (edge.connections > 0) await new Promise(setImmediate);
    expect(edge.requests).toBe(0);
  });

  test("on a connection without a request, and on one without any more", async () => {
    const edge = await openEdge((_req, res) => void res.end("fine"), { first_stream_ms: 50, idle_ms: 50 });
    await once(openSession(edge.port), "close");
    const session = openSession(edge.port);
    const closed = once(session, "close");
    expect(await get2(session)).toMatchObject({ status: 200 });
    await closed;
  });

  test("on streams at once: the client may open 128, and no more at a time", async () => {
    const held: (() => void)[] = [];
    const edge = await openEdge((_req, res) => void held.push(() => res.end("fine")));
    const session = openSession(edge.port);
    await once(session, "remoteSettings");
    expect(session.remoteSettings).toMatchObject({ maxConcurrentStreams: 128, maxHeaderListSize: 16_384 });
    const answers = Array.from({ length: 200 }, () => get2(session));
    while (held.length < 128) await new Promise(setImmediate);
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    expect(edge.requests).toBe(128);
    for (let i = 0; i < held.length || i < 200; i += 1) {
      while (held[i] === undefined) await new Promise(setImmediate);
      held[i]?.();
    }
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
  });

  test("on the header list: a larger one reaches no handler, before the client knows the limit and after", async () => {
    let handled = 0;
    const edge = await openEdge((_req, res) => {
      handled += 1;
      res.end("fine");
    });
    const session = openSession(edge.port);
    const fits = "x".repeat(15_000);
    expect(await get2(session, "/", { "x-large": `${fits}${fits}` })).toMatchObject({ status: 431 });
    expect(await get2(session, "/", { "x-large": `${fits}${fits}` })).toMatchObject({ status: 0 });
    expect(handled).toBe(0);
    expect(await get2(session, "/", { "x-large": fits })).toMatchObject({ status: 200, body: "fine" });
  });

  test("on resets: a flood of requests that are at once withdrawn ends the connection, and no other", async () => {
    let handled = 0;
    const edge = await openEdge((_req, res) => {
      handled += 1;
      res.end("fine");
    });
    const other = openSession(edge.port);
    const session = openSession(edge.port);
    await once(session, "remoteSettings");
    const over = new Promise((resolve) => session.once("close", resolve));
    let sent = 0;
    while (!session.closed && !session.destroyed && sent < 5_000) {
      for (let i = 0; i < 50; i += 1) {
        const stream = session.request({ ":path": "/" });
        stream.on("error", () => undefined);
        stream.close(constants.NGHTTP2_CANCEL);
        sent += 1;
      }
      await new Promise(setImmediate);
    }
    await over;
    expect(sent).toBeLessThan(5_000);
    expect(handled).toBeLessThan(1_000);
    expect(await get2(other)).toMatchObject({ status: 200, body: "fine" });
    while (edge.requests > 0) await new Promise(setImmediate);
  });

  test("on nonsense: a preface followed by garbage ends the connection alone", async () => {
    const edge = await openEdge((_req, res) => void res.end("fine"));
    const raw = await Raw.open(edge.port);
    raw.send(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"\xff".repeat(4_096)}`);
    await raw.closed();
    expect(await get2(openSession(edge.port))).toMatchObject({ status: 200 });
  });
});

describe("a handler that fails", () => {
  test.each([
    [
      "throws",
      () => {
        throw new Error("secret");
      },
    ],
    ["rejects", () => Promise.reject(new Error("secret"))],
  ])("and %s is a 500 that does not say why; the fault is told inside", async (_, handler) => {
    const edge = await openEdge(handler);
    const answer = await exchange(edge.port, LAST);
    expect(statusOf(answer)).toBe(500);
    expect(answer).not.toContain("secret");
    expect(await get2(openSession(edge.port))).toMatchObject({ status: 500 });
    expect(edge.faults).toMatchObject([{ message: "secret" }, { message: "secret" }]);
  });

  test("midway cuts the answer, so that nobody takes it for whole", async () => {
    const edge = await openEdge(async (_req, res) => {
      res.setHeader("content-length", "10");
      const sink: Writable = res;
      await new Promise((resolve) => sink.write("half", resolve));
      throw new Error("secret");
    });
    const answer = await exchange(edge.port, GET);
    expect(answer).toMatch(/half$/);
    const { status, code } = await get2(openSession(edge.port));
    expect(status).toBe(200);
    expect(code).toBe(constants.NGHTTP2_INTERNAL_ERROR);
  });
});

test("a client that sends nonsense amid an answer is cut, and told nothing that could be a part of it", async () => {
  const edge = await openEdge((req, res) => {
    const sink: Writable = res;
    if (req.url === "/first") sink.write("half");
  });
  const raw = (await Raw.open(edge.port)).send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
  await raw.until(/half/);
  expect(await raw.send("what?\r\n\r\n").closed()).not.toContain("400");

  // Nor where the next answer is already owed.
  const two = (await Raw.open(edge.port)).send(
    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  while (edge.requests < 2) await new Promise(setImmediate);
  expect(await two.send("what?\r\n\r\n").closed()).toBe("");
});

describe("closing", () => {
  test("lets what is in flight end, tells clients to go, and takes nobody new", async () => {
    const held: (() => void)[] = [];
    const edge = await openEdge((_req, res) => void held.push(() => res.end("fine")));
    const idle = (await Raw.open(edge.port)).send(GET);
    while (held.length === 0) await new Promise(setImmediate);
    held.pop()?.();
    await idle.until(/fine/);

    // Clients open connections in advance, and say nothing on them.
    const mute = await Raw.open(edge.port);
    const busy = (await Raw.open(edge.port)).send(GET);
    const session = openSession(edge.port);
    const goaway = once(session, "goaway");
    const answer2 = get2(session);
    while (held.length < 2) await new Promise(setImmediate);

    const closed = edge.close({ grace_ms: 60_000 });
    expect(await idle.closed()).toMatch(/fine$/);
    expect(await mute.closed()).toBe("");
    await goaway;
    await expect(Raw.open(edge.port)).rejects.toThrow("ECONNREFUSED");
    for (const answer of held) answer();
    expect(await busy.closed()).toMatch(/\r\nconnection: close\r\n.*fine$/is);
    expect(await answer2).toMatchObject({ status: 200, body: "fine" });
    expect(await closed).toEqual({ cut: 0 });
    expect(edge.connections).toBe(0);
  });

  test("after the grace cuts what is left, and says how many", async () => {
    const edge = await openEdge(() => undefined);
    const busy = (await Raw.open(edge.port)).send(GET);
    const silent = await Raw.open(edge.port);
    const answer2 = get2(openSession(edge.port));
    while (edge.requests < 2 || edge.connections < 3) await new Promise(setImmediate);
    expect(await edge.close({ grace_ms: 20 })).toEqual({ cut: 2 });
    expect(await busy.closed()).toBe("");
    expect(await silent.closed()).toBe("");
    expect((await answer2).status).toBe(0);
  });

  test("twice is closing once", async () => {
    const edge = await openEdge(() => undefined);
    expect(await Promise.all([edge.close({ grace_ms: 10 }), edge.close({ grace_ms: 10 })])).toEqual([
      { cut: 0 },
      { cut: 0 },
    ]);
  });
});

// As the kernel tells it, and only Linux's in a file.
test.runIf(process.platform === "linux")(
  "whoever is silent is asked whether they are still there",
  async () => {
    const edge = await openEdge(() => undefined, {}, { host: "127.0.0.1" });
    const raw = await Raw.open(edge.port);
    onTestFinished(() => raw.close());
    const end = (port: number | undefined) => `0100007F:${port?.toString(16).toUpperCase().padStart(4, "0")}`;
    const ends = `${end(edge.port)} ${end(raw.socket.localPort)} `;
    // "02": a timer is set that is neither for what was not acknowledged nor for a connection that is over.
    const timer = () => {
      const line = readFileSync("/proc/net/tcp", "latin1")
        .split("\n")
        .find((text) => text.includes(ends));
      return / (02):[0-9A-F]{8} /.exec(line ?? "")?.[1];
    };
    while (timer() === undefined) await new Promise(setImmediate);
  },
);

test("a handler that leaves its response in no state to be answered costs that connection, and nothing else", async () => {
  const edge = await openEdge((req, res) => {
    if (req.httpVersion === "1.1") res.statusMessage = "not\nallowed";
    throw new Error("secret");
  });
  expect(await exchange(edge.port, LAST)).toBe("");
  expect(await get2(openSession(edge.port))).toMatchObject({ status: 500 });
  expect(edge.faults).toHaveLength(2);
});
