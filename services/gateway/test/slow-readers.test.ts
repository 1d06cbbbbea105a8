// Clients that take an answer a few bytes at a time, or not at once: how long they may keep a slot of a limit.

import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import type { Readable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { openForwarding, openHttp } from "./support/service.ts";

const MB = 1_024 * 1_024;
/** Beyond what the kernel and Node take at once, on both connections. */
const LARGE = 40 * MB;
/** So that a test need not wait for a minute. */
const LIMITS = { slow_bytes: 16_384, unseen_bytes: 0 };

async function openLarge(slow_ms: number | undefined) {
  const port = await openHttp((_, res) => void res.end(Buffer.alloc(LARGE)));
  return openForwarding(port, { slow_ms, limits: LIMITS });
}

function open(port: number): Readable {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  return socket;
}

/** Takes so much every quarter of a second, for as long as the test runs. */
function takeSlowly(stream: Readable, bytes: number): void {
  stream.on("readable", () => undefined);
  const reading = setInterval(() => stream.read(Math.min(bytes, stream.readableLength)), 250);
  onTestFinished(() => clearInterval(reading));
}

test("who holds an answer up for longer than is allowed, and takes next to nothing of it, is cut", async () => {
  const edge = await openLarge(2_000);
  takeSlowly(open(edge.port), 500);
  await expect.poll(() => edge.outcomes, { timeout: 15_000 }).toEqual([{ kind: "broken_off", status: 200 }]);
  await expect.poll(() => edge.service.inFlight).toBe(0);
});

test("so is the stream of an HTTP/2 client, and its connection is not", async () => {
  const edge = await openLarge(2_000);
  const session = connectHttp2(edge.url);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ":path": "/" });
  const failed = once(stream, "error").catch((error: unknown) => [error]);
  takeSlowly(stream, 500);
  await expect.poll(() => edge.outcomes, { timeout: 15_000 }).toEqual([{ kind: "broken_off", status: 200 }]);
  // What has arrived by then is read before the end.
  stream.removeAllListeners("readable");
  stream.resume();
  expect(await failed).toMatchObject([{ code: "ERR_HTTP2_STREAM_ERROR" }]);
  expect(session.closed).toBe(false);
});

test("who takes an answer as it comes, a stream in which nothing happens, and who keeps no slot are let be", async () => {
  const fast = await openLarge(1_000);
  const whole = fetch(fast.url).then(async (answer) => (await answer.arrayBuffer()).byteLength);
  const idle = await openForwarding(
    await openHttp((_, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.write(`data: ${"x".repeat(MB)}\n\n`);
      setTimeout(() => res.end("data: last\n\n"), 4_000);
    }),
    { slow_ms: 1, limits: LIMITS },
  );
  const events = fetch(idle.url).then((answer) => answer.text());
  const free = await openLarge(undefined);
  takeSlowly(open(free.port), 500);
  expect(await whole).toBe(LARGE);
  expect(await events).toMatch(/data: last\n\n$/);
  expect(fast.outcomes).toEqual([{ kind: "answered", status: 200 }]);
  expect(idle.outcomes).toEqual([{ kind: "answered", status: 200 }]);
  expect(free.outcomes).toEqual([]);
});
