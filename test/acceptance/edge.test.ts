// The gateway's edge as a whole, in the real program: proxies in front, pages of other origins, streams of events,
// WebSockets, and TLS.

import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { certificate } from "../support/certificate.ts";
import { eventually } from "../support/eventually.ts";
import { Raw } from "../support/raw.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher, usherProgram } from "../support/usher.ts";

const PAGE = "https://shop.example";

let shop: Service;
/** Goes on in another protocol, whose every byte it says back. */
let echo: Server;
const connections = new Set<Duplex>();
let usher: Usher;

beforeAll(async () => {
  shop = await startService();
  echo = createServer((_req, res) => res.end("plain")).on("upgrade", (_req, socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket)).on("error", () => undefined);
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n");
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  usher = await startUsher({
    config: `
trusted_proxies: [127.0.0.0/8]
allowed_origins: [${PAGE}]
services:
  shop: { url: ${shop.url} }
  echo: { url: "http://127.0.0.1:${(echo.address() as AddressInfo).port}" }
queues:
  chat: { kind: defer, limit: { max_active: 1 }, max_wait: 1h }
  busy: { kind: defer, mode: queue_all, limit: { max_active: 1 }, max_wait: 1h }
  late: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h }
routes:
  - { match: /chat, service: echo, queue: chat, upgrade: true }
  - { match: /orders, service: shop, queue: busy, hold: 10s }
  - { match: /late, service: shop, queue: late, hold: 0s }
  - { match: /*, service: shop, timeout: 500ms }
`,
  });
});
afterAll(async () => {
  await usher.stop();
  for (const socket of connections) socket.destroy();
  await Promise.all([shop.stop(), new Promise((resolve) => echo.close(resolve))]);
});

describe("a trusted proxy", () => {
  test("is believed of its client, at once and after a wait; links lead where the client came from", async () => {
    const claims = {
      "x-forwarded-for": "6.6.6.6, 203.0.113.7",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "tickets.example",
    };
    shop.answer = (res) => void res.writeHead(201, { location: "/made/1" }).end();
    const before = shop.seen.length;
    await fetch(`${usher.gatewayUrl}/x`, { headers: claims });
    const stored = await fetch(`${usher.gatewayUrl}/orders`, { method: "POST", headers: claims, body: "{}" });
    expect([stored.status, stored.headers.get("location")]).toEqual([201, "https://tickets.example/made/1"]);
    for (const { headers } of shop.seen.slice(before))
      expect(headers).toMatchObject({
        "x-forwarded-for": "203.0.113.7, 127.0.0.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "tickets.example",
        forwarded: 'for=203.0.113.7;proto=https;host="tickets.example", for=127.0.0.1',
      });
    expect(shop.seen.length).toBe(before + 2);
  });
});

describe("a page of an allowed origin", () => {
  const asks = (path: string, init: RequestInit = {}) =>
    fetch(`${usher.gatewayUrl}${path}`, { ...init, headers: { origin: PAGE, ...init.headers } });

  test.each(["/_usher/tickets/x", "/usher.queue.v1.QueueService/Issue", "/orders", "/x"])(
    "is answered its preflight for %s",
    async (path) => {
      const before = shop.seen.length;
      const headers = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "connect-protocol-version,x-grpc-web,content-type",
      };
      const res = await asks(path, { method: "OPTIONS", headers });
      expect(res.status).toBe(204);
      expect(res.headers.get("access-control-allow-origin")).toBe(PAGE);
      expect(res.headers.get("access-control-allow-headers")).toContain("x-grpc-web");
      expect(shop.seen.length).toBe(before);
    },
  );

  test("may read its ticket, a refusal, an answer that waited, and calls by Connect and gRPC-Web", async () => {
    shop.answer = (res) =>
      void res.writeHead(200, { vary: "Accept", "access-control-allow-origin": "*" }).end("ok");
    const waited = await asks("/orders", { method: "POST", body: "{}" });
    const ticket = await asks("/late", { method: "POST", body: "{}" });
    const call = (type: string, body: string | Uint8Array<ArrayBuffer>) =>
      asks("/usher.queue.v1.QueueService/GetQueue", {
        method: "POST",
        headers: { "content-type": type },
        body,
      });
    const message = Buffer.from([0, 0, 0, 0, 6, 10, 4, ...Buffer.from("late")]);
    const answers = [
      waited,
      ticket,
      await asks("/_usher/tickets/x"),
      await call("application/json", '{"queue":"late"}'),
      await call("application/grpc-web+proto", message),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 202, 404, 200, 200]);
    for (const { headers } of answers) {
      expect(headers.get("access-control-allow-origin")).toBe(PAGE);
      expect(headers.get("access-control-expose-headers")).toMatch(/Location.*Usher-Ticket.*Grpc-Status/);
      expect(headers.get("vary")).toContain("Origin");
    }
    expect(waited.headers.get("vary")).toContain("Accept");
    for (const res of answers) await res.arrayBuffer();
  });
});

test("a stream of Usher's own asks proxies not to hold it back, over HTTP/1.1 and HTTP/2", async () => {
  const path = "/usher.queue.v1.QueueService/WatchPosition";
  const message = Buffer.from(`{"token":"none"}`);
  const body = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
  const headers = { "content-type": "application/connect+json" };
  const res = await fetch(`${usher.gatewayUrl}${path}`, { method: "POST", headers, body });
  expect([res.headers.get("x-accel-buffering"), await res.text()]).toEqual([
    "no",
    expect.stringContaining("error"),
  ]);
  const session = connectHttp2(usher.gatewayUrl);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ":method": "POST", ":path": path, ...headers });
  stream.end(body);
  const [head] = await once(stream, "response");
  stream.resume();
  expect(head["x-accel-buffering"]).toBe("no");
});

test("a stream of events goes on beyond the route's time-out, each event as it is sent", async () => {
  let send = (_text: string): void => undefined;
  let end = (): void => undefined;
  shop.answer = (res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.flushHeaders();
    send = (text) => void res.write(text);
    end = () => void res.end();
  };
  const res = await fetch(`${usher.gatewayUrl}/events`);
  const reader = res.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (let i = 0; i < 5; i += 1) {
    send(`data: ${i}\n\n`);
    expect((await reader.read()).value).toBe(`data: ${i}\n\n`);
    // Together more than twice the time-out, which is 500 ms.
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  end();
  expect((await reader.read()).done).toBe(true);
});

describe("a WebSocket, or the like,", () => {
  const wish = (path: string) =>
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`;
  const seen = (raw: Raw, pattern: RegExp) => eventually(() => expect(raw.seen).toMatch(pattern));
  const open = async (path: string): Promise<Raw> => {
    const raw = (await Raw.open(usher.gatewayUrl)).send(wish(path));
    onTestFinished(() => raw.close());
    return raw;
  };

  test("is refused in words on a route that does not let it, and on Usher's own paths changes nothing", async () => {
    const answer = await (await open("/x")).answer();
    expect(answer.status).toBe(501);
    expect(JSON.parse(answer.body)).toMatchObject({
      type: "urn:usher:problem:upgrade_refused",
      detail: expect.stringContaining("upgrade: true"),
    });
    expect((await (await open("/livez")).answer()).status).toBe(200);
  });

  test("takes the limit's room for as long as it lives, and cannot wait for it", async () => {
    const first = await open("/chat");
    await seen(first, /^HTTP\/1\.1 101 .*\r\n\r\n$/s);
    const second = await (await open("/chat")).answer();
    expect([second.status, second.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(JSON.parse(second.body)).toMatchObject({ type: "urn:usher:problem:upgrade_cannot_wait" });
    first.send("hello");
    await seen(first, /hello$/);
    first.close();
    await eventually(() => expect(connections.size).toBe(0));
    await eventually(async () => {
      const third = await open("/chat");
      await seen(third, /^HTTP\/1\.1 /);
      expect(third.seen).toMatch(/^HTTP\/1\.1 101 /);
      third.close();
    });
  });
});

test("with TLS the port says https, and takes nothing else", async () => {
  const directory = await mkdtemp(join(tmpdir(), "usher-tls-"));
  await writeFile(join(directory, "cert.pem"), certificate.cert);
  await writeFile(join(directory, "key.pem"), certificate.key);
  const config = `
listen: { port: 0, grpc_port: 0, metrics_port: off, tls: { cert: cert.pem, key: key.pem } }
services: { shop: { url: ${shop.url} } }
routes: [{ match: /*, service: shop }]
`;
  await writeFile(join(directory, "usher.yaml"), config);
  const program = usherProgram(["serve", "--config", join(directory, "usher.yaml")]);
  // In this order, for its data is there as well.
  onTestFinished(async () => {
    await program.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const [, port = ""] = await program.says(/gateway +https:\/\/localhost:(\d+)/);
  shop.answer = (res, { headers }) => void res.end(`${headers["x-forwarded-proto"]}`);
  await eventually(async () => {
    const req = request(`https://localhost:${port}/`, { ca: certificate.cert }).end();
    const [res] = await once(req, "response");
    expect([res.statusCode, String(Buffer.concat(await res.toArray()))]).toEqual([200, "https"]);
  });
  const plain = await fetch(`http://localhost:${port}/`);
  expect([plain.status, await plain.json()]).toMatchObject([400, { type: "urn:usher:problem:tls_required" }]);
});
