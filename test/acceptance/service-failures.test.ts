// A service that fails in every way there is: whoever sent the request is told what surely happened, what surely did
// not, and what nobody knows; slots come back, the order holds, and the next ticket has the next number.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { backendOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { Ledger } from "../support/ledger.ts";
import {
  type Conduct,
  hang,
  oneSlotEach,
  type Rogue,
  type RogueRequest,
  response,
  sound,
  startRogue,
} from "../support/rogue.ts";
import { startUsher, type Usher } from "../support/usher.ts";

let shop: Rogue;
let usher: Usher;
let orders: Ledger;
/** What the shop had seen before the test. */
let before: number;

beforeAll(async () => {
  shop = await startRogue();
  usher = await startUsher({
    config: oneSlotEach(shop, {
      attempts: 2,
      hold: "0s",
      routes: [
        ["/fast/brief", "fast", "timeout: 1s, silence: 1s"],
        ["/fast", "fast"],
        ["POST /orders/brief", "orders", "timeout: 1s"],
        ["POST /orders/again", "orders", "timeout: 1s, idempotent: true"],
        ["POST /orders/small", "orders", "response_bytes: 1000"],
        ["POST /orders", "orders"],
      ],
    }),
  });
  orders = new Ledger(backendOf(usher), "orders");
});
beforeEach(() => {
  before = shop.seen.length;
});
afterEach(async () => {
  shop.conduct = sound;
  const ticket = await order("fine");
  expect(await endOf(ticket)).toMatchObject({ status: 200, body: "done: fine" });
  await eventually(async () => {
    const res = await post("/fast", "quick");
    expect([res.headers.get("usher-ticket"), await res.text()]).toEqual([null, "done: quick"]);
  });
  expect(shop.mostInFlight).toBe(1);
});
afterAll(async () => {
  await orders.check();
  expect(usher.output()).not.toMatch(/^\s+at /m);
  await usher.stop();
  await shop.leave();
});

function post(path: string, body: string): Promise<Response> {
  return fetch(`${usher.gatewayUrl}${path}`, { method: "POST", body, redirect: "manual" });
}

/** Sends a request that has to wait; returns where its ticket is. */
async function order(body: string, path = "/orders"): Promise<string> {
  const res = await post(path, body);
  expect([res.status, await res.text()]).toEqual([202, expect.stringContaining('"ticket"')]);
  const location = res.headers.get("location") ?? "";
  orders.note(Number(res.headers.get("usher-ticket")), location.split("/").at(-1) ?? "");
  return location;
}

interface End {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** What the holder of a ticket is told at the end. */
async function endOf(location: string): Promise<End> {
  const get = (path: string) => fetch(new URL(path, usher.gatewayUrl), { redirect: "manual" });
  const res = await eventually(async () => {
    const answer = await get(location);
    if (answer.status === 200) throw new Error(`still waiting: ${await answer.text()}`);
    return answer;
  }, 40_000);
  const last = res.status === 303 ? await get(res.headers.get("location") ?? "") : res;
  return { status: last.status, headers: last.headers, body: await last.text() };
}

/** What the shop has seen of this test. */
function seen(): readonly RogueRequest[] {
  return shop.seen.slice(before);
}

/** Ways to fail after the request has come, by name, as sockets and bytes. */
const BREAKING: readonly (readonly [string, Conduct])[] = [
  ["closes before it answers", (socket) => void socket.end()],
  ["resets before it answers", (socket) => void socket.resetAndDestroy()],
  ["closes midway in the status line", (socket) => void socket.end("HTTP/1.1 2")],
  ["closes midway in the headers", (socket) => void socket.end("HTTP/1.1 200 OK\r\nContent-Len")],
  ["answers in another protocol", (socket) => void socket.end("220 smtp.example ESMTP\r\n")],
  ["answers in bytes", (socket) => void socket.end(Buffer.of(0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46))],
  ["answers with a status that is none", (socket) => void socket.end("HTTP/1.1 2000 OK\r\n\r\n")],
  ["answers with headers that are none", (socket) => void socket.end("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")],
  [
    "answers with two lengths",
    (socket) => void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
  ],
  [
    "answers with headers without end",
    (socket) => void socket.write(`HTTP/1.1 200 OK\r\n${`X-Header: ${"x".repeat(1_000)}\r\n`.repeat(200)}`),
  ],
  [
    "changes to another protocol",
    (socket) => void socket.write("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
  ],
];

/** Ways to fail after the answer has begun. */
const BREAKING_MIDWAY: readonly (readonly [string, Conduct])[] = [
  [
    "closes midway in the body",
    (socket) => void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
  ],
  [
    "closes midway in the chunks",
    (socket) => void socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
  ],
  [
    "sends a chunk that is none",
    (socket) => void socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n"),
  ],
];

describe("for a request that goes straight through, a service that", () => {
  test("is down is 502: safe to try again", async () => {
    await shop.leave();
    const res = await post("/fast", "x");
    await shop.comeBack();
    expect(res.status).toBe(502);
    expect(res.headers.get("retry-after")).toBe("1");
    expect(await res.json()).toMatchObject({ type: "urn:usher:problem:service_unreachable" });
    expect(seen()).toEqual([]);
    // The operator is told, too.
    await eventually(() => expect(usher.output()).toMatch(/service \w+ \(http:[^)]+\) cannot be reached/));
  });

  test("hangs is 504 at the route's time-out, and its connection is closed", async () => {
    shop.conduct = hang;
    const res = await post("/fast/brief", "x");
    expect(res.status).toBe(504);
    expect(res.headers.get("retry-after")).toBeNull();
    expect(await res.json()).toMatchObject({ type: "urn:usher:problem:service_timeout" });
    await eventually(() => expect(shop.inFlight).toBe(0));
    expect(seen()).toHaveLength(1);
  });

  test.each(BREAKING)("%s is 502, and nobody sends it again", async (_, conduct) => {
    shop.conduct = conduct;
    const res = await post("/fast", "x");
    expect(res.status).toBe(502);
    expect(res.headers.get("retry-after")).toBeNull();
    expect(await res.json()).toMatchObject({ type: "urn:usher:problem:service_lost" });
    expect(seen()).toHaveLength(1);
  });

  test.each(BREAKING_MIDWAY)(
    "%s is an answer that breaks off, never one that looks whole",
    async (_, conduct) => {
      shop.conduct = conduct;
      const whole = post("/fast", "x").then((res) => res.text());
      await expect(whole).rejects.toThrow();
      expect(seen()).toHaveLength(1);
    },
  );

  test("hangs midway in its answer is an answer that breaks off", async () => {
    shop.conduct = (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
      return hang(socket, shop.seen.at(-1)!);
    };
    const whole = post("/fast/brief", "x").then((res) => res.text());
    await expect(whole).rejects.toThrow();
    await eventually(() => expect(shop.inFlight).toBe(0));
  });

  test("answers after the time-out is 504, and the late answer reaches nobody", async () => {
    const late = Promise.withResolvers<void>();
    shop.conduct = async (socket, request) => {
      if (request.body !== "slow") return sound(socket, request);
      await late.promise;
      socket.write(response(200, "too late"));
    };
    const res = await post("/fast/brief", "slow");
    expect(res.status).toBe(504);
    late.resolve();
    for (const body of ["a", "b", "c"])
      await eventually(async () => expect(await (await post("/fast", body)).text()).toBe(`done: ${body}`));
  });

  test("refuses with 503 and Retry-After is told to the client as it is", async () => {
    shop.conduct = (socket) => void socket.write(response(503, "full", "Retry-After: 7"));
    const res = await post("/fast", "x");
    expect([res.status, res.headers.get("retry-after"), await res.text()]).toEqual([503, "7", "full"]);
    expect(seen()).toHaveLength(1);
  });

  test("answers with headers of Usher's, or of the connection, is not believed", async () => {
    shop.conduct = (socket) =>
      void socket.write(
        response(200, "x", "Usher-Ticket: 9", "Usher-Pass: y", "Connection: x-hop", "X-Hop: 1"),
      );
    const res = await post("/fast", "x");
    expect(await res.text()).toBe("x");
    for (const name of ["usher-ticket", "usher-pass", "x-hop"]) expect(res.headers.get(name)).toBeNull();
  });
});

describe("for a stored request, a service that", () => {
  const problem = (type: string) => expect.stringContaining(`"urn:usher:problem:${type}"`);

  test("is down is tried again, and answers when it is back", async () => {
    await shop.leave();
    const ticket = await order("patient");
    await eventually(async () => {
      const status = await (await fetch(new URL(ticket, usher.gatewayUrl))).text();
      expect(status).toContain("TICKET_STATE_ADMITTED");
    });
    await shop.comeBack();
    expect(await endOf(ticket)).toMatchObject({ status: 200, body: "done: patient" });
    expect(seen()).toHaveLength(1);
  });

  test("stays down is 502 after the attempts that the queue allows: it was surely not carried out", async () => {
    await shop.leave();
    const [one, two] = [await order("one"), await order("two")];
    expect(await endOf(one)).toMatchObject({ status: 502, body: problem("request_failed") });
    expect(seen()).toEqual([]);
    await shop.comeBack();
    // Behind it, and still in its place.
    expect(await endOf(two)).toMatchObject({ status: 200, body: "done: two" });
  });

  test("hangs is 504, for nobody knows, and is not asked again", async () => {
    shop.conduct = (socket, request) => (request.body === "stuck" ? hang : sound)(socket, request);
    const ticket = await order("stuck", "/orders/brief");
    const behind = await order("behind");
    expect(await endOf(ticket)).toMatchObject({ status: 504, body: problem("request_unknown") });
    expect(await endOf(behind)).toMatchObject({ status: 200 });
    expect(seen().map(({ body }) => body)).toEqual(["stuck", "behind"]);
  });

  test("hangs once is asked again where the route is idempotent, under the same key", async () => {
    shop.conduct = (socket, request) => (seen().length === 1 ? hang : sound)(socket, request);
    const ticket = await order("twice", "/orders/again");
    expect(await endOf(ticket)).toMatchObject({ status: 200, body: "done: twice" });
    const keys = seen().map(({ headers }) => headers.get("idempotency-key"));
    expect(keys).toEqual([keys[0], keys[0]]);
    expect(keys[0]).toMatch(/^.{22,}$/);
  });

  test("answers after the time-out is 504, and the late answer is nobody's", async () => {
    const late = Promise.withResolvers<void>();
    shop.conduct = async (socket, request) => {
      if (request.body !== "slow") return sound(socket, request);
      await late.promise;
      socket.write(response(200, "too late"));
    };
    const [slow, behind] = [await order("slow", "/orders/brief"), await order("behind")];
    expect(await endOf(slow)).toMatchObject({ status: 504, body: problem("request_unknown") });
    late.resolve();
    expect(await endOf(behind)).toMatchObject({ status: 200, body: "done: behind" });
  });

  test.each([...BREAKING, ...BREAKING_MIDWAY])(
    "%s is 504, for nobody knows, and is not asked again",
    async (_, conduct) => {
      shop.conduct = (socket, request) => (request.body === "broken" ? conduct : sound)(socket, request);
      const [broken, behind] = [await order("broken"), await order("behind")];
      expect(await endOf(broken)).toMatchObject({ status: 504, body: problem("request_unknown") });
      expect(await endOf(behind)).toMatchObject({ status: 200, body: "done: behind" });
      expect(seen().map(({ body }) => body)).toEqual(["broken", "behind"]);
    },
  );

  test.each([429, 503])(
    "refuses with %i and Retry-After is asked again, under the same key and ticket",
    async (status) => {
      shop.conduct = (socket, request) =>
        seen().length === 1
          ? void socket.write(response(status, "full", "Retry-After: 1"))
          : sound(socket, request);
      const [refused, behind] = [await order("refused"), await order("behind")];
      expect(await endOf(refused)).toMatchObject({ status: 200, body: "done: refused" });
      expect(await endOf(behind)).toMatchObject({ status: 200, body: "done: behind" });
      // The slot is kept for it.
      expect(seen().map(({ body }) => body)).toEqual(["refused", "refused", "behind"]);
      for (const name of ["idempotency-key", "usher-ticket"]) {
        const [first, again] = seen().map(({ headers }) => headers.get(name));
        expect(again).toBe(first);
      }
    },
  );

  test("refuses for good is 502: it was surely not carried out", async () => {
    shop.conduct = (socket) => void socket.write(response(503, "full", "Retry-After: soon"));
    expect(await endOf(await order("refused"))).toMatchObject({
      status: 502,
      body: problem("request_failed"),
    });
    expect(seen()).toHaveLength(2);
  });

  test("answers with an error of its own is passed on as it is, and not asked again", async () => {
    shop.conduct = (socket) => void socket.write(response(500, "oops", "X-Why: because", "Usher-Ticket: 9"));
    const end = await endOf(await order("x"));
    expect([end.status, end.body, end.headers.get("x-why")]).toEqual([500, "oops", "because"]);
    expect(end.headers.get("usher-ticket")).toBe(`${orders.last}`);
    expect(seen()).toHaveLength(1);
  });

  test("answers with more than is kept has answered: the status is kept, and that the body is not", async () => {
    shop.conduct = (socket) => void socket.write(response(201, "x".repeat(2_000), "X-Why: because"));
    const end = await endOf(await order("x", "/orders/small"));
    expect([end.status, end.body, end.headers.get("x-why")]).toEqual([201, "", "because"]);
    expect(end.headers.get("usher-body-dropped")).toBe("more than 1000 bytes");
  });
});
