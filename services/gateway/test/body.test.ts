import { once } from "node:events";
import { type ClientHttp2Session, connect as connect2 } from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import { type BodyLimits, BodyReader, type BodyResult } from "../src/listener/body.ts";
import { openEdge } from "./support/edge.ts";
import { exchange, http2Half, problemOf, Raw, refusal, statusOf } from "./support/raw.ts";

/** An edge that reads bodies whole and answers with their length. */
async function openReader(limits: Partial<BodyLimits> = {}, route_bytes?: number) {
  const reader = new BodyReader(limits);
  const results: BodyResult[] = [];
  const edge = await openEdge(async (req, res) => {
    const result = await reader.read(req, res, route_bytes);
    results.push(result);
    if (result.kind === "whole") res.end(`${result.bytes.length} bytes`);
  });
  return { port: edge.port, reader, results, edge };
}

function post(headers: string, body = ""): string {
  return `POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`;
}

function openSession(port: number): ClientHttp2Session {
  const session = connect2(`http://127.0.0.1:${port}`);
  onTestFinished(() => session.destroy());
  return session;
}

async function post2(session: ClientHttp2Session, body: Buffer): Promise<{ status: number; body: string }> {
  const stream = session.request({ ":path": "/", ":method": "POST" });
  let status = 0;
  let text = "";
  stream.on("error", () => undefined);
  stream.on("response", (headers) => {
    status = headers[":status"] ?? 0;
  });
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  stream.end(body);
  // Node's client closes a stream only when it has sent all, which a refusal spares it.
  await new Promise((resolve) => stream.once("end", resolve));
  return { status, body: text };
}

describe("a body", () => {
  test("is read whole, with a length, in chunks, empty, or absent, and the connection goes on", async () => {
    const { port, results } = await openReader();
    const raw = await Raw.open(port);
    raw.send(post("Content-Length: 5", "abcde"));
    raw.send(post("Transfer-Encoding: chunked", "2;x=y\r\nab\r\n1\r\nc\r\n0\r\nTrailer: z\r\n\r\n"));
    raw.send(post("Content-Length: 0"));
    raw.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect((await raw.closed()).match(/\d bytes/g)).toEqual(["5 bytes", "3 bytes", "0 bytes", "0 bytes"]);
    expect(results).toContainEqual({ kind: "whole", bytes: Buffer.from("abc") });
  });

  test("is read over HTTP/2, up to the last byte that fits", async () => {
    const { port } = await openReader({ body_bytes: 200_000 });
    const session = openSession(port);
    expect(await post2(session, Buffer.alloc(200_000, 1))).toEqual({ status: 200, body: "200000 bytes" });
    expect(await post2(session, Buffer.alloc(0))).toEqual({ status: 200, body: "0 bytes" });
  });

  test("is called for only when it is about to be read", async () => {
    const { port } = await openReader({ body_bytes: 10 });
    const fits = await Raw.open(port);
    fits.send(post("Content-Length: 3\r\nExpect: 100-Continue\r\nConnection: close"));
    await fits.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
    expect(await fits.send("abc").closed()).toMatch(/200 OK.*3 bytes/s);
    const tooLarge = await exchange(port, post("Content-Length: 11\r\nExpect: 100-continue"));
    expect(statusOf(tooLarge)).toBe(413);
    expect(tooLarge).not.toContain("100 Continue");
  });

  test("that comes a byte at a time takes no more memory than twice its size", async () => {
    const { port, reader } = await openReader();
    const raw = await Raw.open(port);
    raw.send(post("Transfer-Encoding: chunked\r\nConnection: close"));
    const count = 20_000;
    for (let i = 0; i < count; i += 1_000) raw.send("1\r\nx\r\n".repeat(1_000));
    let most = 0;
    while (reader.held_bytes < count) {
      most = Math.max(most, reader.held_bytes);
      await new Promise(setImmediate);
    }
    expect(Math.max(most, reader.held_bytes)).toBeLessThanOrEqual(2 * count);
    expect(await raw.send("0\r\n\r\n").closed()).toMatch(/20000 bytes/);
    expect(reader.held_bytes).toBe(0);
  });
});

describe("a body over the limit", () => {
  test("is refused by its declared length, before a byte of it is taken", async () => {
    const { port, results } = await openReader({ body_bytes: 10 });
    const answer = await refusal(port, post("Content-Length: 11"));
    expect(statusOf(answer)).toBe(413);
    expect(problemOf(answer)).toMatchObject({ type: "urn:usher:problem:body_too_large", status: 413 });
    expect(results).toMatchObject([{ kind: "refused", problem: { reason: "body_too_large" } }]);
  });

  test("is refused with the answer seen by a client that sends it all before it reads", async () => {
    const { port } = await openReader();
    const size = 4 * 1_024 * 1_024;
    const raw = await Raw.open(port);
    raw.socket.pause();
    raw.send(post(`Content-Length: ${size}`));
    for (let i = 0; i < 16; i += 1) {
      const sent = raw.socket.write(Buffer.alloc(size / 16));
      if (!sent) await once(raw.socket, "drain");
    }
    raw.socket.resume();
    const answer = await raw.closed();
    expect(statusOf(answer)).toBe(413);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    expect(problemOf(answer).status).toBe(413);
  });

  test("in chunks is refused where it goes over, however endless", async () => {
    const { port, reader } = await openReader({ body_bytes: 100_000 });
    const raw = (await Raw.open(port)).send(post("Transfer-Encoding: chunked"));
    const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
    while (!raw.socket.closed && raw.socket.writable) {
      raw.send(chunk);
      await new Promise(setImmediate);
    }
    expect(statusOf(await raw.closed())).toBe(413);
    expect(reader.held_bytes).toBe(0);
  });

  test("of a route's own is the lower of the two", async () => {
    const { port } = await openReader({ body_bytes: 10 }, 5);
    expect(statusOf(await refusal(port, post("Content-Length: 6", "abcdef")))).toBe(413);
    const wide = await openReader({ body_bytes: 10 }, 20);
    expect(statusOf(await refusal(wide.port, post("Content-Length: 11")))).toBe(413);
  });

  test("over HTTP/2 is refused, and the connection's other streams go on", async () => {
    const { port, edge } = await openReader({ body_bytes: 100_000 });
    const session = openSession(port);
    const refused = await post2(session, Buffer.alloc(3_000_000));
    expect(refused.status).toBe(413);
    expect(JSON.parse(refused.body)).toMatchObject({ type: "urn:usher:problem:body_too_large" });
    expect(await post2(session, Buffer.alloc(7))).toEqual({ status: 200, body: "7 bytes" });
    while (edge.requests > 0) await new Promise(setImmediate);
  });
});

describe("a client that does not send its body", () => {
  test("and falls silent is told so, and closed", async () => {
    const { port, reader } = await openReader({ silent_ms: 50 });
    const answer = await refusal(port, post("Content-Length: 5", "abc"));
    expect(statusOf(answer)).toBe(408);
    expect(problemOf(answer).type).toBe("urn:usher:problem:request_too_slow");
    expect(reader.held_bytes).toBe(0);
  });

  test("but drips it is told so too, when its time is over", async () => {
    const { port, reader } = await openReader({ silent_ms: 1_000, whole_ms: 150 });
    const raw = (await Raw.open(port)).send(post("Content-Length: 1000"));
    const drip = setInterval(() => raw.send("x"), 10);
    onTestFinished(() => clearInterval(drip));
    expect(statusOf(await raw.until(/\r\n\r\n\{.*\}/s))).toBe(408);
    expect(reader.held_bytes).toBe(0);
  });

  test("over HTTP/2 is told so, and the stream ends", async () => {
    const { port } = await openReader({ silent_ms: 50 });
    const session = openSession(port);
    const stream = session.request({ ":path": "/", ":method": "POST" });
    stream.write("abc");
    const [headers] = await once(stream, "response");
    expect(headers[":status"]).toBe(408);
    stream.on("error", () => undefined).resume();
    await new Promise((resolve) => stream.once("close", resolve));
  });

  test("but goes away leaves nothing behind", async () => {
    const { port, reader, results } = await openReader();
    const raw = (await Raw.open(port)).send(post("Content-Length: 50000", "x".repeat(30_000)));
    while (reader.held_bytes === 0) await new Promise(setImmediate);
    raw.socket.resetAndDestroy();
    while (results.length === 0) await new Promise(setImmediate);
    expect(results).toEqual([{ kind: "client_gone" }]);
    expect(reader.held_bytes).toBe(0);

    const session = connect2(`http://127.0.0.1:${port}`);
    session.request({ ":path": "/", ":method": "POST" }).write(Buffer.alloc(30_000));
    while (reader.held_bytes === 0) await new Promise(setImmediate);
    session.destroy();
    while (results.length === 1) await new Promise(setImmediate);
    expect(results[1]).toEqual({ kind: "client_gone" });
    expect(reader.held_bytes).toBe(0);
  });
});

test.each([0, 8])(
  "a client of HTTP/2 that resets its stream with code %i has not sent a whole body",
  async (code) => {
    const { port, reader, results } = await openReader();
    const raw = (await Raw.open(port)).send(http2Half.begin);
    while (reader.held_bytes === 0) await new Promise(setImmediate);
    raw.send(http2Half.reset(code));
    while (results.length === 0) await new Promise(setImmediate);
    expect(results).toEqual([{ kind: "client_gone" }]);
    raw.socket.destroy();
  },
);

test("all bodies together have a limit: one more is told to come again, and fits when another is done", async () => {
  const { port, reader } = await openReader({ total_bytes: 50_000 });
  const first = (await Raw.open(port)).send(
    post("Content-Length: 40000\r\nConnection: close", "x".repeat(39_999)),
  );
  while (reader.held_bytes < 39_999) await new Promise(setImmediate);
  const refused = await refusal(port, post("Content-Length: 20000", "x".repeat(20_000)));
  expect(statusOf(refused)).toBe(503);
  expect(refused).toMatch(/\r\nretry-after: 1\r\n/);
  expect(await first.send("x").closed()).toMatch(/40000 bytes/);
  expect(reader.held_bytes).toBe(0);
  const again = await exchange(port, post("Content-Length: 20000\r\nConnection: close", "x".repeat(20_000)));
  expect(statusOf(again)).toBe(200);
});
