// A service may close a connection for being idle in the very moment in which a request is written to it. Nobody can tell
// whether it was read: it is sent once more only where that does no harm, and where there is all of it.

import { createServer } from "node:http";
import type { Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ForwardOptions } from "../src/forward/forward.ts";
import {
  type Forwarding,
  openForwarding,
  openRaw,
  portOf,
  type RawService,
  until,
} from "./support/service.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";

/** Answers the first request of each connection, says that it stays, and does this to the second. */
function openHasty(breaks: (socket: Socket) => void): Promise<RawService> {
  return openRaw((socket, received) => {
    const count = received.split("\r\n\r\n").length - 1;
    if (count === 1) socket.write(OK);
    if (count > 1) breaks(socket);
  });
}

const sendings = ({ received }: RawService) => received.join("").split("\r\n\r\n").length - 1;

/** Sends requests one after the other; their statuses. */
async function ask(edge: Forwarding, times: number, init: RequestInit = {}): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < times; i += 1) {
    const res = await fetch(`http://127.0.0.1:${edge.port}/`, init);
    await res.arrayBuffer();
    statuses.push(res.status);
  }
  return statuses;
}

async function open(
  breaks: (socket: Socket) => void,
  options: Partial<ForwardOptions>,
): Promise<{ service: RawService; edge: Forwarding }> {
  const service = await openHasty(breaks);
  return { service, edge: await openForwarding(service.port, options) };
}

describe("a request whose connection was used before and breaks without a word", () => {
  test.each<[string, (socket: Socket) => void]>([
    ["is reset", (socket) => socket.resetAndDestroy()],
    ["is closed", (socket) => socket.end()],
  ])("is sent once more, on a new one, when it may be: %s", async (_, breaks) => {
    const { service, edge } = await open(breaks, { idempotent: true });
    expect(await ask(edge, 6)).toEqual(Array(6).fill(200));
    // The second, fourth and sixth twice, and each of those on a connection of its own, which then is closed.
    expect(sendings(service)).toBeGreaterThan(6);
    expect(sendings(service)).toBeLessThanOrEqual(12);
    expect(edge.outcomes).toEqual(Array(6).fill({ kind: "answered", status: 200 }));
    await until(() => edge.service.inFlight === 0);
  });

  test("is not, when it may not be carried out twice", async () => {
    const { service, edge } = await open((socket) => socket.resetAndDestroy(), { idempotent: false });
    expect(await ask(edge, 4)).toEqual([200, 502, 200, 502]);
    expect(sendings(service)).toBe(4);
  });

  test("is not, when only its client has its body", async () => {
    const { service, edge } = await open((socket) => socket.resetAndDestroy(), { idempotent: true });
    expect(await ask(edge, 2, { method: "PUT", body: "abc" })).toEqual([200, 502]);
    expect(sendings(service)).toBe(2);
  });

  test("is, with a body that was read before", async () => {
    const { edge } = await open((socket) => socket.resetAndDestroy(), {
      idempotent: true,
      body: Buffer.from("stored"),
    });
    expect(await ask(edge, 2, { method: "PUT", body: "abc" })).toEqual([200, 200]);
  });

  test("is not, after a byte of an answer", async () => {
    const { service, edge } = await open((socket) => void socket.end("H"), { idempotent: true });
    expect(await ask(edge, 2)).toEqual([200, 502]);
    expect(sendings(service)).toBe(2);
  });
});

test("a request on a new connection that breaks is not sent again", async () => {
  const service = await openRaw((socket, received) => received !== "" && socket.destroy());
  const edge = await openForwarding(service.port, { idempotent: true });
  expect(await ask(edge, 1)).toEqual([502]);
  expect(service.connections.length).toBe(1);
});

test("a request that breaks the second time, too, is not sent a third time", async () => {
  const service = await openRaw((socket, received, nth) => {
    const count = received.split("\r\n\r\n").length - 1;
    if (nth === 0 && count === 1) socket.write(OK);
    else if (count > 0) socket.destroy();
  });
  const edge = await openForwarding(service.port, { idempotent: true });
  expect(await ask(edge, 2)).toEqual([200, 502]);
  expect(sendings(service)).toBe(3);
  expect(edge.outcomes.at(-1)).toMatchObject({ kind: "lost", sent: true, stale: false });
});

test("of a server that closes what is idle at the worst moment, no safe request sees anything", async () => {
  const times = 400;
  let seen = 0;
  // Without its header that tells when: then nobody is warned.
  const server = createServer((_req, res) => {
    seen += 1;
    res.shouldKeepAlive = true;
    res.writeHead(200, { "Content-Length": 2, Connection: "keep-alive" }).end("ok");
  });
  server.keepAliveTimeout = 2;
  Object.assign(server, { keepAliveTimeoutBuffer: 0 });
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  const edge = await openForwarding(await portOf(server), { idempotent: true });
  const statuses = new Map<number, number>();
  for (let i = 0; i < times; i += 1) {
    const [status = 0] = await ask(edge, 1);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    // About as long as the server waits.
    await new Promise((resolve) => setTimeout(resolve, i % 4));
  }
  expect([...statuses]).toEqual([[200, times]]);
  expect(seen).toBeGreaterThanOrEqual(times);
  expect(seen).toBeLessThanOrEqual(2 * times);
});
