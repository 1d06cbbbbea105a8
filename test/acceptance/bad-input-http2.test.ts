// HTTP/2 by hand, at both ports of a real node: floods, bombs and broken frames. Each costs its own connection, which is
// closed, and little memory; nobody is given a ticket for it, and the next ticket has the next number. (Slow ones are in
// bad-input-slow.test.ts, messages of gRPC in bad-input-messages.test.ts, and the limits in the gateway's own tests.)

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { backendOf, NATIVE } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { FLOOD_GROWTH_MAX, FLOODS, flood, HPACK_BOMB, withdrawn } from "../support/floods.ts";
import {
  bytes,
  END_HEADERS,
  END_STREAM,
  frame,
  GET_ROOT,
  greeting,
  streams,
  TYPES,
} from "../support/frames.ts";
import { Ledger } from "../support/ledger.ts";
import { residentBytes } from "../support/memory.ts";
import { Raw } from "../support/raw.ts";
import { startUsher, type Usher } from "../support/usher.ts";

let usher: Usher;
let line: Ledger;
let before: number;

beforeAll(async () => {
  usher = await startUsher({
    config: "queues: { line: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h } }",
  });
  line = new Ledger(backendOf(usher), "line");
});
beforeEach(async () => {
  before = await residentBytes(usher.pid);
});
afterEach(async () => {
  await line.takeNext();
  // The other port answers as before, too.
  const { queue } = await backendOf(usher, NATIVE).getQueue({ queue: "line" });
  expect(queue?.lastNumber).toBe(line.last);
  expect((await residentBytes(usher.pid)) - before).toBeLessThan(FLOOD_GROWTH_MAX);
});
afterAll(async () => {
  await line.check();
  expect(usher.output()).not.toMatch(/^\s+at /m);
  await usher.stop();
});

const HEADERS = END_STREAM | END_HEADERS;

/** Sent whole. */
const ONCE: readonly (readonly [string, () => string])[] = [
  ["withdraws 20,000 requests at once", () => withdrawn(20_000)],
  [
    "opens 10,000 streams at once, and ends none",
    () => [...streams(10_000)].map((id) => frame("headers", END_HEADERS, id, GET_ROOT)).join(""),
  ],
  ["names a header that HPACK's table does not have", () => frame("headers", HEADERS, 1, "\xff\xff\xff\x7f")],
  ["sends a body without a request", () => frame("data", 0, 1, "x")],
  ["sends headers on no stream", () => frame("headers", HEADERS, 0, GET_ROOT)],
  ["sends headers on the server's stream", () => frame("headers", HEADERS, 2, GET_ROOT)],
  ["sends a piece of headers without the first", () => frame("continuation", END_HEADERS, 1, GET_ROOT)],
  [
    "sends something else amid headers",
    () => frame("headers", END_STREAM, 1, GET_ROOT) + frame("ping", 0, 0, "12345678"),
  ],
  ["sends settings of three bytes", () => frame("settings", 0, 0, "abc")],
  ["sends a ping of a byte", () => frame("ping", 0, 0, "x")],
  ["declares a frame of 16 MB", () => frame("headers", HEADERS, 1, "", 0xff_ff_ff) + "x".repeat(100_000)],
  ["opens its window by nothing", () => frame("windowUpdate", 0, 0, bytes(0, 4))],
  [
    "opens its window beyond what there is",
    () => frame("windowUpdate", 0, 0, bytes(0x7f_ff_ff_ff, 4)).repeat(2),
  ],
  ["asks for frames of a byte", () => frame("settings", 0, 0, bytes(5, 2) + bytes(1, 4))],
  ["asks for a window of 4 GiB", () => frame("settings", 0, 0, bytes(4, 2) + bytes(0xff_ff_ff_ff, 4))],
];

describe.each([
  ["the gateway's port", () => usher.gatewayUrl],
  ["the native port", () => `http://${usher.nativeAddress}`],
])("at %s, a client that", (_, url) => {
  test.each(ONCE)("%s: its connection is closed", async (_, sent) => {
    const raw = (await Raw.open(url())).send(greeting() + sent());
    await raw.closed();
  });

  test.each(Object.entries(FLOODS))(
    "sends %s without end, and reads nothing: its connection is closed",
    async (_, { first, part }) => {
      const raw = await Raw.open(url());
      raw.socket.pause();
      raw.send(greeting() + first);
      const closed = raw.closed();
      await Promise.race([flood(raw.socket, part, 5_000_000), closed]);
      await closed;
    },
  );

  test("names one long header 4,000 times, in a byte each: that request is reset, and has no answer", async () => {
    const raw = (await Raw.open(url())).send(greeting() + HPACK_BOMB + frame("ping", 0, 0, "the next"));
    const answers = await eventually(() => {
      const types = typesIn(raw.seen);
      expect(types).toContain(TYPES.ping);
      return types;
    });
    expect(answers).toContain(TYPES.reset);
    expect(answers).not.toContain(TYPES.headers);
    raw.close();
  });
});

/** The types of whole frames. */
function typesIn(seen: string): number[] {
  const types: number[] = [];
  for (let at = 0; at + 9 <= seen.length; ) {
    types.push(seen.charCodeAt(at + 3));
    at += 9 + seen.charCodeAt(at) * 65_536 + seen.charCodeAt(at + 1) * 256 + seen.charCodeAt(at + 2);
  }
  return types;
}
