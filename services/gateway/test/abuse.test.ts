// Clients that abuse HTTP/2 with frames of their own making: each costs its own connection, little memory, and nobody
// else anything. That the limits are what they should be is told at the end.

import { once } from "node:events";
import { connect } from "node:http2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FLOOD_GROWTH_MAX, FLOODS, flood, HPACK_BOMB, withdrawn } from "../../../test/support/floods.ts";
import {
  ACK,
  bytes,
  END_HEADERS,
  END_STREAM,
  frame,
  GET_ROOT,
  get,
  greeting,
  INITIAL_WINDOW,
  streams,
} from "../../../test/support/frames.ts";
import { createHttp1 } from "../src/listener/http1.ts";
import { createHttp2 } from "../src/listener/http2.ts";
import { LISTENER_LIMITS, type ListenerLimits } from "../src/listener/limits.ts";
import { type Edge, openEdge } from "./support/edge.ts";
import { Raw } from "./support/raw.ts";
import { until } from "./support/service.ts";

const MB = 1_024 * 1_024;

/** An answer that no window takes at once; one for all, so that only what is held of it counts. */
const LARGE = Buffer.alloc(8 * MB, "x");

/** Times so short that tests need not wait for them. */
const SHORT: Partial<ListenerLimits> = { first_stream_ms: 300, stalled_ms: 300, ping_ms: 100 };

let edge: Edge;
let handled: number;
let before: number;

beforeEach(async () => {
  handled = 0;
  before = process.memoryUsage.rss();
  edge = await openEdge((req, res) => {
    handled += 1;
    res.end(req.url === "/large" ? LARGE : "fine");
  }, SHORT);
});

afterEach(async () => {
  expect(process.memoryUsage.rss() - before).toBeLessThan(FLOOD_GROWTH_MAX);
  expect(edge.faults).toEqual([]);
  const session = connect(`http://127.0.0.1:${edge.port}`);
  const stream = session.request({ ":path": "/" }).setEncoding("utf8");
  expect((await stream.toArray()).join("")).toBe("fine");
  session.close();
  await once(session, "close");
  await until(() => edge.connections === 0 && edge.requests === 0);
});

describe("a client that sends", () => {
  test("requests which it withdraws at once is cut, after a few hundred", async () => {
    const raw = (await Raw.open(edge.port)).send(greeting());
    raw.send(withdrawn(20_000));
    await raw.closed();
    // Those that came with the last of them, in one piece of 64 KiB, are begun.
    expect(handled).toBeLessThan(5_000);
  });

  test("headers without end is cut, and they reach nobody", async () => {
    const { first, part } = FLOODS.headers;
    const raw = (await Raw.open(edge.port)).send(greeting() + first);
    await flood(raw.socket, part, 100_000);
    await raw.closed();
    expect(handled).toBe(0);
  });

  test("empty pieces of headers without end is cut", async () => {
    const { first, part } = FLOODS["empty pieces of headers"];
    const raw = (await Raw.open(edge.port)).send(greeting() + first);
    await flood(raw.socket, part, 1_000_000);
    await raw.closed();
    expect(handled).toBe(0);
  });

  test("few bytes that HPACK makes many of is refused", async () => {
    const raw = (await Raw.open(edge.port)).send(greeting() + HPACK_BOMB);
    await raw.closed();
    expect(handled).toBe(0);
  });

  test.each(["settings", "pings"] as const)(
    "%s without end, and reads no answer to them, is cut",
    async (name) => {
      const raw = await Raw.open(edge.port);
      raw.socket.pause();
      raw.send(greeting());
      const closed = raw.closed();
      await Promise.race([flood(raw.socket, FLOODS[name].part, 5_000_000), closed]);
      await closed;
      expect(handled).toBe(0);
    },
  );

  test("pings for ever instead of a request is cut when its time for one is over", async () => {
    const raw = (await Raw.open(edge.port)).send(greeting());
    const timer = setInterval(() => raw.send(FLOODS.pings.part), 10);
    raw.socket.once("close", () => clearInterval(timer));
    await raw.closed();
    expect(handled).toBe(0);
  });

  test("more streams at once than it may is cut after fifty of them", async () => {
    const held = await openEdge(() => undefined, SHORT);
    const raw = (await Raw.open(held.port)).send(greeting());
    await raw.until(new RegExp(frame("settings", ACK, 0)));
    raw.send([...streams(10_000)].map(get).join(""));
    await raw.closed();
    await until(() => held.connections === 0 && held.requests === 0);
  });

  test("frames that are none is cut", async () => {
    const raw = (await Raw.open(edge.port)).send(greeting());
    // Of streams that were never opened, and of sizes that cannot be.
    raw.send(frame("data", 0, 7, "x") + frame("settings", 0, 0, "abc") + frame("ping", 0, 0, "x", 0xffffff));
    await raw.closed();
  });

  test.each([
    ["of headers", frame("headers", END_STREAM | END_HEADERS, 1, GET_ROOT.slice(0, 3), 6)],
    ["of a frame's head", "\0\0"],
    ["that declares 16 MB", frame("headers", END_STREAM | END_HEADERS, 1, "", 0xffffff)],
  ])("a part %s and no more is cut", async (_, part) => {
    await (await Raw.open(edge.port)).send(greeting() + part).closed();
    expect(handled).toBe(0);
  });
});

describe("a client that takes nothing", () => {
  /** GET http /large */
  const large = (id: number) =>
    frame("headers", END_STREAM | END_HEADERS, id, "\x82\x86\x44\x06/large\x41\x01a");
  const COUNT = 100;

  test("because its windows are shut has its streams given up", async () => {
    const raw = (await Raw.open(edge.port)).send(greeting([INITIAL_WINDOW, 0]));
    raw.send([...streams(COUNT)].map(large).join(""));
    await until(() => handled === COUNT);
    await until(() => edge.requests === 0);
    raw.socket.destroy();
  });

  test("because it opens them a byte at a time has no more than it took", async () => {
    const raw = (await Raw.open(edge.port)).send(greeting([INITIAL_WINDOW, 0]));
    raw.send([...streams(COUNT)].map(large).join(""));
    await until(() => handled === COUNT);
    for (let i = 0; i < 200; i += 1) {
      for (const id of streams(COUNT)) raw.send(frame("windowUpdate", 0, id, bytes(1, 4)));
      await new Promise(setImmediate);
    }
    expect(raw.seen.length).toBeLessThan(MB);
    raw.socket.destroy();
    await until(() => edge.requests === 0);
  });

  test("because it does not read its connection is cut", async () => {
    const raw = await Raw.open(edge.port);
    raw.socket.pause();
    raw.send(greeting([INITIAL_WINDOW, 0x7fffffff]) + frame("windowUpdate", 0, 0, bytes(0x7fff0000, 4)));
    raw.send([...streams(COUNT)].map(large).join(""));
    await until(() => handled === COUNT);
    await until(() => edge.requests === 0);
    raw.socket.destroy();
  });
});

describe("the limits", () => {
  test("are what they should be", () => {
    const { streams, reset_burst, reset_rate, ...others } = LISTENER_LIMITS;
    expect(streams).toBeGreaterThanOrEqual(100);
    expect(streams).toBeLessThanOrEqual(256);
    // Node's own are 1,000 and 33.
    expect(reset_burst).toBeLessThanOrEqual(250);
    expect(reset_rate).toBeLessThanOrEqual(15);
    expect(others).toMatchObject({
      ...{ first_byte_ms: 10_000, headers_ms: 10_000, request_ms: 30_000, header_bytes: 8_192 },
      ...{ header_list_bytes: 16_384, invalid_frames: 50, rejected_streams: 50, first_stream_ms: 10_000 },
      ...{ idle_ms: 60_000, handshake_ms: 10_000 },
    });
  });

  test("are those that Node's servers are told", () => {
    const limits = LISTENER_LIMITS;
    const http1 = createHttp1(limits, () => undefined);
    const http2 = createHttp2(limits, () => undefined);
    http1.close();
    expect(http1).toMatchObject({
      headersTimeout: limits.headers_ms,
      requestTimeout: limits.request_ms,
      keepAliveTimeout: limits.keep_alive_ms,
      timeout: limits.stalled_ms,
      maxHeaderSize: limits.header_bytes,
    });
    // Under a symbol of Node's own: there is no other way to ask.
    const told = Object.getOwnPropertySymbols(http2).map((key) => Reflect.get(http2, key));
    expect(told).toContainEqual(
      expect.objectContaining({
        settings: expect.objectContaining({
          maxConcurrentStreams: limits.streams,
          maxHeaderListSize: limits.header_list_bytes,
          enablePush: false,
          enableConnectProtocol: false,
        }),
        maxHeaderListPairs: limits.header_lines,
        maxSessionInvalidFrames: limits.invalid_frames,
        maxSessionRejectedStreams: limits.rejected_streams,
        streamResetBurst: limits.reset_burst,
        streamResetRate: limits.reset_rate,
        maxOutstandingPings: limits.pings,
        maxSessionMemory: limits.session_memory_MB,
      }),
    );
  });
});
