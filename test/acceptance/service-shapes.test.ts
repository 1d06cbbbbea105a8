// What a service may send instead of an answer, shape by shape: garbage, silence, two answers for one, headers without
// end, storms of 1xx, lengths that are wrong. Each row is tried on a request that goes straight through and on a stored
// one; then the next requests get their own answers, and nobody else's.

import { once } from "node:events";
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { COLLECTABLE, collectedBytes } from "../support/memory.ts";
import {
  type Conduct,
  hang,
  oneSlotEach,
  type Rogue,
  response,
  sound,
  startRogue,
} from "../support/rogue.ts";
import { startUsher, type Usher } from "../support/usher.ts";

/** What becomes of it.
 * - `whole`: that body is the answer.
 * - `broken`: no answer, or one that breaks off.
 * - `late`: the same, at the time-out. */
type Expected = { readonly whole: string } | "broken" | "late";
type Row = readonly [name: string, conduct: Conduct, expected: Expected];

const MiB = 1_024 * 1_024;

let shop: Rogue;
let usher: Usher;
let before_bytes: number;

beforeAll(async () => {
  shop = await startRogue();
  usher = await startUsher({
    env: COLLECTABLE,
    config: oneSlotEach(shop, {
      attempts: 1,
      hold: "30s",
      routes: [
        ["POST /fast", "fast", "timeout: 20s, silence: 20s"],
        ["POST /fast/brief", "fast", "timeout: 500ms, silence: 1s"],
        ["POST /orders", "orders", "timeout: 20s"],
        ["POST /orders/brief", "orders", "timeout: 500ms"],
      ],
    }),
  });
  before_bytes = await collectedBytes(usher);
});
afterAll(async () => {
  await usher?.stop();
  await shop?.leave();
});

/** Sends bytes, one char each, and leaves the connection open. */
function says(bytes: string): Conduct {
  return (socket) => void socket.write(bytes, "latin1");
}

/** The same, and nothing more. */
function ends(bytes: string): Conduct {
  return (socket) => void socket.end(bytes, "latin1");
}

/** Sends this, then that again and again, for as long as it is taken. */
function pours(first: string, again: string): Conduct {
  return async (socket) => {
    socket.write(first, "latin1");
    while (!socket.destroyed) {
      if (!socket.write(again.repeat(100), "latin1")) await drained(socket);
      await new Promise(setImmediate);
    }
  };
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("drain", resolve).once("close", () => resolve());
  });
}

/** Sends bytes one at a time, without end. */
function drips(first: string, again: string): Conduct {
  return async (socket) => {
    socket.write(first, "latin1");
    while (!socket.destroyed) {
      socket.write(again, "latin1");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
}

const FINE = response(200, "fine");
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

const GARBAGE: readonly Row[] = [
  ["another version", ends("HTTP/3.0 200 OK\r\nContent-Length: 4\r\n\r\nfine"), "broken"],
  ["another protocol's name", ends("ICY 200 OK\r\nContent-Length: 4\r\n\r\nfine"), "broken"],
  ["no status line", ends("Content-Length: 4\r\n\r\nfine"), "broken"],
  ["a status of two digits", ends("HTTP/1.1 20 OK\r\nContent-Length: 4\r\n\r\nfine"), "broken"],
  ["a status in words", ends("HTTP/1.1 OK OK\r\nContent-Length: 4\r\n\r\nfine"), "broken"],
  ["a NUL in a header", ends("HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 4\r\n\r\nfine"), "broken"],
  [
    "a space in a header's name",
    ends("HTTP/1.1 200 OK\r\nX Y: 1\r\nContent-Length: 4\r\n\r\nfine"),
    "broken",
  ],
  ["a body alone", ends("<html>it works</html>"), "broken"],
  ["zeros", ends("\0".repeat(10_000)), "broken"],
];

const RESETS: readonly Row[] = [
  ["resets at once", (socket) => void socket.resetAndDestroy(), "broken"],
  ["resets after the status line", resets("HTTP/1.1 200 OK\r\n"), "broken"],
  ["resets after the head", resets("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"), "broken"],
  ["resets midway in the body", resets("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "broken"],
  ["resets between two chunks", resets(`${CHUNKED}4\r\nhalf\r\n`), "broken"],
  ["resets an answer without a length", resets("HTTP/1.1 200 OK\r\n\r\nhalf"), "broken"],
];

function resets(bytes: string): Conduct {
  return (socket) => void socket.write(bytes, "latin1", () => setTimeout(() => socket.resetAndDestroy(), 50));
}

const SILENCE: readonly Row[] = [
  ["says nothing", hang, "late"],
  ["stops in the status line", stops("HTTP/1.1 2"), "late"],
  ["stops in a header", stops("HTTP/1.1 200 OK\r\nContent-Le"), "late"],
  ["stops after the head", stops("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"), "late"],
  ["stops in the body", stops("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi"), "late"],
  ["stops in a chunk", stops(`${CHUNKED}4\r\nfi`), "late"],
  ["stops before the last chunk", stops(`${CHUNKED}4\r\nfine\r\n`), "late"],
  ["sends its head byte by byte, without end", drips("HTTP/1.1 200 OK\r\nX: ", "x"), "late"],
];

function stops(bytes: string): Conduct {
  return (socket, request) => {
    socket.write(bytes, "latin1");
    return hang(socket, request);
  };
}

const TWO_ANSWERS: readonly Row[] = [
  ["two at once", says(`${FINE}${response(200, "stolen")}`), { whole: "fine" }],
  ["one, and one more a little later", later(response(200, "stolen")), { whole: "fine" }],
  ["one, and half of one", later("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), { whole: "fine" }],
  ["one, and garbage", says(`${FINE}stolen`), { whole: "fine" }],
  ["one without a body, and a body", says("HTTP/1.1 204 No\r\n\r\nstolen"), { whole: "" }],
  [
    "one that says that it is the last, and one more",
    says(`${response(200, "fine", "Connection: close")}${FINE}`),
    { whole: "fine" },
  ],
  ["a hundred", says(FINE.repeat(100)), { whole: "fine" }],
];

/** A whole answer, and those bytes when it has been taken. The connection is not used again: to any later request,
 * they would look like its answer. */
function later(bytes: string): Conduct {
  return async (socket) => {
    const closed = once(socket, "close");
    socket.write(FINE);
    setTimeout(() => socket.write(bytes, "latin1"), 20);
    await closed;
  };
}

const HEADERS: readonly Row[] = [
  ["one header without end", pours("HTTP/1.1 200 OK\r\nX: ", "x"), "broken"],
  ["headers without end", pours("HTTP/1.1 200 OK\r\n", "X: yyyyyyyy\r\n"), "broken"],
  ["a header's name without end", pours("HTTP/1.1 200 OK\r\n", "x"), "broken"],
  ["a folded header without end", pours("HTTP/1.1 200 OK\r\nX: y", "\r\n yyyyyyyy"), "broken"],
  ["trailers without end", pours(`${CHUNKED}4\r\nfine\r\n0\r\n`, "X: yyyyyyyy\r\n"), "broken"],
  // What is not kept has no bound but the time.
  ["a reason without end", pours("HTTP/1.1 200 ", "x"), "late"],
  ["a chunk's extension without end", pours(`${CHUNKED}4;`, "x"), "late"],
];

const INFORMATION: readonly Row[] = [
  [
    "a thousand 102, then an answer",
    says(`${"HTTP/1.1 102 Processing\r\n\r\n".repeat(1_000)}${FINE}`),
    { whole: "fine" },
  ],
  [
    "a hundred 103 with links, then an answer",
    says(`${"HTTP/1.1 103 Early\r\nLink: </a>; rel=preload\r\n\r\n".repeat(100)}${FINE}`),
    { whole: "fine" },
  ],
  [
    "a 103 with a header that is none, then an answer",
    says(`HTTP/1.1 103 Early\r\nLink: ><\r\n\r\n${FINE}`),
    { whole: "fine" },
  ],
  ["a 1xx that nobody knows, then an answer", says(`HTTP/1.1 177 Such\r\n\r\n${FINE}`), { whole: "fine" }],
  // Usher never asks for one, and undici closes a connection on which it comes.
  ["a 100 that nobody asked for", says(`HTTP/1.1 100 Continue\r\n\r\n${FINE}`), "broken"],
  ["100 without end", pours("", "HTTP/1.1 100 Continue\r\n\r\n"), "broken"],
  ["103 without end", pours("", "HTTP/1.1 103 Early\r\nLink: </a>; rel=preload\r\n\r\n"), "late"],
  ["102, one after the other, without end", drips("", "HTTP/1.1 102 Processing\r\n\r\n"), "late"],
];

const LENGTHS: readonly Row[] = [
  ["too short a body", ends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "broken"],
  ["too long a body", says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine and stolen"), { whole: "fine" }],
  ["a negative length", ends("HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nfine"), "broken"],
  ["a length with a sign", ends("HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nfine"), "broken"],
  ["a length in words", ends("HTTP/1.1 200 OK\r\nContent-Length: four\r\n\r\nfine"), "broken"],
  [
    "a length beyond all numbers",
    ends(`HTTP/1.1 200 OK\r\nContent-Length: 1${"0".repeat(30)}\r\n\r\nfine`),
    "broken",
  ],
  ["a length in a list", ends("HTTP/1.1 200 OK\r\nContent-Length: 4, 5\r\n\r\nfine"), "broken"],
  [
    "a length and chunks",
    ends("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"),
    "broken",
  ],
  ["a chunk's size below zero", ends(`${CHUNKED}-4\r\nfine\r\n0\r\n\r\n`), "broken"],
  ["a chunk's size beyond all numbers", ends(`${CHUNKED}${"f".repeat(17)}\r\nfine\r\n0\r\n\r\n`), "broken"],
  ["a chunk longer than its size", ends(`${CHUNKED}2\r\nfine\r\n0\r\n\r\n`), "broken"],
  ["a coding that is not known", ends("HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n\r\nfine"), "broken"],
];

/** What the sender is told: the whole answer, or in one word what else. */
async function outcomeOf(path: string, body: string): Promise<string> {
  try {
    const res = await fetch(`${usher.gatewayUrl}${path}`, { method: "POST", body });
    const text = await res.text();
    return res.headers.get("content-type") === "application/problem+json"
      ? (JSON.parse(text) as { type: string }).type.replace("urn:usher:problem:", "")
      : `${res.status} ${text}`;
  } catch {
    return "broke off";
  }
}

for (const [kind, rows] of Object.entries({
  garbage: GARBAGE,
  "a reset": RESETS,
  silence: SILENCE,
  "two answers": TWO_ANSWERS,
  "headers without end": HEADERS,
  "a storm of 1xx": INFORMATION,
  "a wrong length": LENGTHS,
}))
  describe(`a service that sends ${kind}`, () => {
    test.each(rows)("%s", async (_, conduct, expected) => {
      const brief = expected === "late" ? "/brief" : "";
      for (const path of [`/fast${brief}`, `/orders${brief}`]) {
        const before = shop.seen.length;
        shop.conduct = (socket, request) => (request.body === "odd" ? conduct : sound)(socket, request);
        const outcome = await outcomeOf(path, "odd");
        if (typeof expected === "object") expect(outcome).toMatch(new RegExp(`^20[04] ${expected.whole}$`));
        else if (path.startsWith("/orders")) expect(outcome).toBe("request_unknown");
        else
          expect(outcome).toMatch(
            expected === "late" ? /^(service_timeout|broke off)$/ : /^(service_lost|broke off)$/,
          );
        // Once, and never again: nobody knows whether it was carried out.
        expect(shop.seen.slice(before).map(({ body }) => body)).toEqual(["odd"]);
        await eventually(() => expect(shop.inFlight).toBe(0));
        for (const next of ["a", "b", "c"]) {
          expect(await outcomeOf("/orders", next)).toBe(`200 done: ${next}`);
          expect(await outcomeOf("/fast", next)).toBe(`200 done: ${next}`);
        }
      }
      expect(shop.mostInFlight).toBe(1);
    });
  });

test("and through all of it, nothing failed inside", () => {
  expect(usher.output()).not.toMatch(/^\s+at /m);
});

test("and through all of it, memory has stayed what it was", async () => {
  // What was poured is far more than this: each stream of it ran for as long as it was taken.
  const grown_bytes = (await collectedBytes(usher)) - before_bytes;
  expect(grown_bytes).toBeLessThan(64 * MiB);
});
