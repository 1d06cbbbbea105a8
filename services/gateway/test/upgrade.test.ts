// Connections that go on in another protocol: which are let, how their bytes pass, and how they end.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect as connect2 } from "node:http2";
import type { Duplex } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { exchange, problemOf, Raw, statusOf } from "./support/raw.ts";
import { openAnswering, openForwarding, openRaw, portOf, until } from "./support/service.ts";

const KEY = Buffer.from("sixteen bytes it").toString("base64");
const HANDSHAKE =
  "GET /chat?room=1 HTTP/1.1\r\nHost: shop.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Protocol: chat\r\n`;

/** What proves that the server speaks WebSocket (RFC 6455, 4.2.2). */
const accept = (key: string) =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

/** A client's frame, masked as it has to be; a text of fewer than 126 bytes, or a close. */
function frame(opcode: number, text: string): string {
  const mask = [1, 2, 3, 4];
  const payload = Buffer.from(text).map((byte, at) => byte ^ mask[at % 4]!);
  return Buffer.from([0x80 | opcode, 0x80 | payload.length, ...mask, ...payload]).toString("latin1");
}

const TEXT = 1;
const CLOSE = 8;

/** A WebSocket server that echoes, and closes when its client does. */
async function openEcho(): Promise<{ port: number; sockets: Duplex[]; requests: string[][] }> {
  const sockets: Duplex[] = [];
  const requests: string[][] = [];
  const server = createServer((_req, res) => res.end("plain")).listen(0, "127.0.0.1");
  server.on("upgrade", (req, socket, rest) => {
    sockets.push(socket);
    requests.push(req.rawHeaders);
    socket.on("error", () => undefined).on("end", () => socket.end());
    const key = `${req.headers["sec-websocket-key"]}`;
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(key)}\r\n\r\n`,
    );
    const onFrame = (bytes: Buffer): void => {
      const opcode = bytes[0]! & 0xf;
      const text = bytes.subarray(6).map((byte, at) => byte ^ bytes[2 + (at % 4)]!);
      socket.write(Buffer.from([0x80 | opcode, text.length, ...text]));
      if (opcode === CLOSE) socket.end();
    };
    if (rest.length > 0) onFrame(rest);
    socket.on("data", onFrame);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: await portOf(server), sockets, requests };
}

describe("a connection that goes on in another protocol", () => {
  test("shakes hands with its service, and bytes pass both ways until the service closes", async () => {
    const echo = await openEcho();
    const edge = await openForwarding(echo.port);
    const raw = (await Raw.open(edge.port)).send(`${HANDSHAKE}\r\n`);
    const head = await raw.until(/\r\n\r\n/);
    expect(head).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(head).toContain(`\r\nSec-WebSocket-Accept: ${accept(KEY)}\r\n`);
    expect(head).toMatch(/\r\nconnection: upgrade\r\n/i);
    expect(head).toMatch(/\r\nupgrade: websocket\r\n/i);
    const lines = echo.requests[0]!.join("\n");
    expect(lines).toMatch(/^Sec-WebSocket-Protocol\nchat$/m);
    expect(lines).toMatch(/^x-forwarded-for\n127\.0\.0\.1$/m);
    raw.send(frame(TEXT, "one"));
    await raw.until(/one$/);
    raw.send(frame(TEXT, "two"));
    await raw.until(/two$/);
    expect([edge.requests, edge.service.inFlight]).toEqual([1, 1]);
    raw.send(frame(CLOSE, ""));
    expect(await raw.closed()).toMatch(/\u0088.$/s);
    await until(() => edge.outcomes.length === 1);
    expect(edge.outcomes).toEqual([{ kind: "answered", status: 101 }]);
    expect([edge.requests, edge.service.inFlight]).toEqual([0, 0]);
  });

  test("brings along what its client sent right after the request", async () => {
    const echo = await openEcho();
    const edge = await openForwarding(echo.port);
    const raw = (await Raw.open(edge.port)).send(`${HANDSHAKE}\r\n${frame(TEXT, "early")}`);
    await raw.until(/101 .*\r\n\r\n..early$/s);
    raw.socket.destroy();
  });

  test("ends at the service when its client goes, and at the client when its service breaks", async () => {
    const echo = await openEcho();
    const edge = await openForwarding(echo.port);
    const gone = (await Raw.open(edge.port)).send(`${HANDSHAKE}\r\n`);
    await gone.until(/\r\n\r\n/);
    gone.socket.resetAndDestroy();
    await until(() => echo.sockets[0]?.closed === true);
    const left = (await Raw.open(edge.port)).send(`${HANDSHAKE}\r\n`);
    await left.until(/\r\n\r\n/);
    echo.sockets[1]!.destroy();
    await left.closed();
    await until(() => edge.outcomes.length === 2);
    expect([edge.requests, edge.service.inFlight]).toEqual([0, 0]);
  });

  test("is cut when nothing has come either way for long", async () => {
    const echo = await openEcho();
    const edge = await openForwarding(echo.port, { silence_ms: 50 });
    await (await Raw.open(edge.port)).send(`${HANDSHAKE}\r\n`).closed();
    await until(() => echo.sockets[0]?.closed === true);
  });

  test("is in flight while the port closes, and cut after the grace", async () => {
    const echo = await openEcho();
    const edge = await openForwarding(echo.port);
    const raw = (await Raw.open(edge.port)).send(`${HANDSHAKE}\r\n`);
    await raw.until(/\r\n\r\n/);
    const closed = edge.close({ grace_ms: 50 });
    raw.send(frame(TEXT, "still here"));
    await raw.until(/still here/);
    expect(await closed).toEqual({ cut: 1 });
    await raw.closed();
    await until(() => echo.sockets[0]?.closed === true);
  });

  test("passes 32 MB to a slow reader without gathering them", async () => {
    const size = 32 * 1_024 * 1_024;
    let written = 0;
    const service = await openRaw((socket, received) => {
      if (!received.endsWith("\r\n\r\n")) return;
      socket.write("HTTP/1.1 101 x\r\nUpgrade: bytes\r\nConnection: upgrade\r\n\r\n");
      const chunk = Buffer.alloc(65_536, "x");
      const pump = (): void => {
        while (written < size) {
          written += chunk.length;
          if (!socket.write(chunk)) return;
        }
        socket.end();
      };
      socket.on("drain", pump);
      pump();
    });
    const edge = await openForwarding(service.port);
    const raw = await Raw.open(edge.port);
    raw.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n");
    await raw.until(/\r\n\r\n/);
    raw.socket.pause();
    let before = -1;
    while (written !== before) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // The kernel's buffers of two connections, and a little of our own.
    expect(written).toBeLessThan(20 * 1_024 * 1_024);
    raw.socket.resume();
    expect((await raw.closed()).length).toBeGreaterThan(size);
  });
});

describe("a wish for another protocol", () => {
  test("that the service does not grant is answered as the service does", async () => {
    const service = await openAnswering("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    const edge = await openForwarding(service.port);
    const answer = await exchange(edge.port, `${HANDSHAKE}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n.*\r\nConnection: close\r\n\r\nno$/is);
    expect(edge.outcomes).toEqual([{ kind: "answered", status: 403 }]);
  });

  test("of a service that is not there, or breaks, is answered with a problem", async () => {
    const service = await openRaw((socket, received) => received !== "" && socket.destroy());
    const edge = await openForwarding(service.port);
    expect(problemOf(await exchange(edge.port, `${HANDSHAKE}\r\n`))).toMatchObject({ status: 502 });
  });

  test.each([
    ["with a body", `${HANDSHAKE}Content-Length: 3\r\n\r\nabc`],
    ["with chunks", `${HANDSHAKE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["of a POST", `${HANDSHAKE.replace("GET", "POST")}\r\n`],
    ["of HTTP/1.0", `${HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0")}\r\n`],
    ["in a list with h2c", `${HANDSHAKE.replace(": websocket", ": h2c, websocket")}\r\n`],
  ])("%s is refused at the door, and nothing is sent", async (_, bytes) => {
    const service = await openAnswering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const edge = await openForwarding(service.port);
    const raw = (await Raw.open(edge.port)).send(bytes);
    raw.socket.end();
    const answer = await raw.closed();
    expect(problemOf(answer)).toMatchObject({ type: "urn:usher:problem:upgrade_refused", status: 501 });
    expect(service.connections).toEqual([]);
  });

  test("behind a request whose answer is still owed costs the connection", async () => {
    const echo = await openEcho();
    const edge = await openForwarding(echo.port);
    const answer = await exchange(edge.port, `GET / HTTP/1.1\r\nHost: a\r\n\r\n${HANDSHAKE}\r\n`);
    expect(answer).not.toContain("101");
    expect(echo.sockets).toEqual([]);
  });

  test("over HTTP/2 is no stream, and the connection's other streams go on", async () => {
    const service = await openAnswering("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
    const edge = await openForwarding(service.port);
    const session = connect2(`http://127.0.0.1:${edge.port}`);
    onTestFinished(() => session.destroy());
    await once(session, "remoteSettings");
    // Browsers then open a connection of HTTP/1.1 for it.
    expect(session.remoteSettings.enableConnectProtocol ?? false).toBe(false);
    const wish = session.request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":path": "/chat",
      ":authority": "a",
    });
    await expect(once(wish, "response")).rejects.toThrow();
    const stream = session.request({ ":path": "/" }).setEncoding("utf8");
    expect((await stream.toArray()).join("")).toBe("fine");
  });
});

test("what is answered to a wish is the end of its connection, seen by its client", async () => {
  const service = await openAnswering(
    `HTTP/1.1 404 x\r\nContent-Length: 200000\r\n\r\n${"x".repeat(200_000)}`,
  );
  const edge = await openForwarding(service.port);
  const answer = await exchange(edge.port, `${HANDSHAKE}\r\n${frame(TEXT, "x").repeat(50)}`);
  expect([statusOf(answer), answer.endsWith("x".repeat(200_000))]).toEqual([404, true]);
});
