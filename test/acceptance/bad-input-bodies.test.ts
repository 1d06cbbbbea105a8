// Bodies of requests that would have to wait: too large, without end, broken off. A client sees why it was refused even
// while it sends, little memory is taken, no ticket is given, and the next ticket has the next number.

import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { backendOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { Ledger } from "../support/ledger.ts";
import { residentBytes } from "../support/memory.ts";
import { refusalsCounted } from "../support/metrics.ts";
import { Raw, type RawAnswer } from "../support/raw.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const MiB = 1_024 * 1_024;
/** What a body may have where the configuration says nothing. */
const USUAL = MiB;
/** What memory may grow by while bodies without end come. */
const GROWTH_MAX = 96 * MiB;

let shop: Service;
let usher: Usher;
let orders: Ledger;

beforeAll(async () => {
  shop = await startService();
  usher = await startUsher({
    config: `
services: { shop: { url: ${shop.url} } }
queues:
  orders: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h }
routes:
  - { match: POST /orders, service: shop, queue: orders, hold: 0s }
  - { match: POST /notes, service: shop, queue: orders, hold: 0s, body_bytes: 1000 }
  - { match: POST /films, service: shop, queue: orders, hold: 0s, body_bytes: ${5 * MiB} }
  - { match: POST /open, service: shop }
`,
  });
  orders = new Ledger(backendOf(usher), "orders");
});
afterEach(async () => {
  const { queue } = await backendOf(usher).getQueue({ queue: "orders" });
  expect(queue?.lastNumber).toBe(orders.last);
  await note(await post("/orders", "{}"));
});
afterAll(async () => {
  await orders.check();
  expect(shop.seen.filter(({ target }) => target !== "/open")).toEqual([]);
  expect(usher.output()).not.toMatch(/^\s+at /m);
  await usher.stop();
  await shop.stop();
});

function post(path: string, body: RequestInit["body"], init: RequestInit = {}): Promise<Response> {
  return fetch(`${usher.gatewayUrl}${path}`, { method: "POST", body, ...init });
}

/** Enters the ticket of an answer into the book. */
async function note(res: Response): Promise<void> {
  expect([res.status, await res.text()]).toEqual([202, expect.stringContaining('"ticket"')]);
  orders.note(Number(res.headers.get("usher-ticket")), res.headers.get("location")?.split("/").at(-1) ?? "");
}

async function expectTooLarge(res: Response): Promise<void> {
  expect(res.status).toBe(413);
  expect(res.headers.get("content-type")).toBe("application/problem+json");
  expect(await res.json()).toMatchObject({ type: "urn:usher:problem:body_too_large", status: 413 });
}

function expectTooLargeRaw(answer: RawAnswer): void {
  expect(answer.status).toBe(413);
  expect(JSON.parse(answer.body)).toMatchObject({ type: "urn:usher:problem:body_too_large" });
}

describe("a body", () => {
  test.each([
    ["the usual limit", "/orders", USUAL],
    ["a route's own limit below it", "/notes", 1_000],
    ["a route's own limit above it", "/films", 5 * MiB],
  ])("of exactly %s is taken, and of one byte more refused with 413", async (_, path, limit) => {
    await note(await post(path, Buffer.alloc(limit, "x")));
    await expectTooLarge(await post(path, Buffer.alloc(limit + 1, "x")));
  });

  test("of which the same is true in chunks, without a length", async () => {
    const chunked = (bytes: number) =>
      post("/notes", new Blob([Buffer.alloc(bytes, "x")]).stream(), { duplex: "half" });
    await note(await chunked(1_000));
    await expectTooLarge(await chunked(1_001));
  });

  test("of which the same is true over HTTP/2, on one connection", async () => {
    const session = connectHttp2(usher.gatewayUrl);
    const refused = await postHttp2(session, Buffer.alloc(1_001, "x"));
    expect(refused).toMatchObject({ status: 413, body: expect.stringContaining("body_too_large") });
    const taken = await postHttp2(session, Buffer.alloc(1_000, "x"));
    expect(taken.status).toBe(202);
    orders.note(Number(taken.headers["usher-ticket"]), `${taken.headers.location}`.split("/").at(-1) ?? "");
    session.destroy();
  });

  test("that is declared too large is refused before a byte of it has come", async () => {
    for (const length of [USUAL + 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const raw = await Raw.open(usher.gatewayUrl);
      raw.send(`POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n`);
      expectTooLargeRaw(await raw.answer());
      raw.close();
    }
  });

  test("whose client asks before it sends is refused without being sent", async () => {
    const raw = await Raw.open(usher.gatewayUrl);
    raw.send(
      `POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${USUAL + 1}\r\nExpect: 100-continue\r\n\r\n`,
    );
    expectTooLargeRaw(await raw.answer());
    raw.close();
  });

  test("whose client sends it all before it reads is refused, and the client sees it", async () => {
    await expectTooLarge(await post("/orders", Buffer.alloc(3 * MiB, "x")));
  });

  test("without end, in chunks, is refused where it goes over, in little memory, and no more of it is read", async () => {
    const before = await residentBytes(usher.pid);
    const raws = await Promise.all(Array.from({ length: 16 }, () => Raw.open(usher.gatewayUrl)));
    const answers = raws.map((raw) => {
      raw.send("POST /orders HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
      const answer = raw.answer();
      return { answer, closed: sendWithoutEnd(raw) };
    });
    for (const { answer } of answers) expectTooLargeRaw(await answer);
    expect((await residentBytes(usher.pid)) - before).toBeLessThan(GROWTH_MAX);
    for (const { closed } of answers) await closed;
  });

  test("of a hundred clients at once, each almost at the limit and never whole, leaves no ticket and no memory", async () => {
    const before = await residentBytes(usher.pid);
    const raws = await Promise.all(Array.from({ length: 100 }, () => Raw.open(usher.gatewayUrl)));
    const half = "x".repeat(USUAL / 2);
    for (const raw of raws)
      raw.send(`POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${USUAL}\r\n\r\n${half}`);
    await eventually(() => expect(raws.every((raw) => raw.socket.writableLength === 0)).toBe(true));
    for (const raw of raws) raw.close();
    await note(await post("/orders", "whole"));
    await eventually(async () =>
      expect((await residentBytes(usher.pid)) - before).toBeLessThan(GROWTH_MAX + 100 * (USUAL / 2)),
    );
  });

  test.each([
    ["a size that is none", "zz\r\nx\r\n0\r\n\r\n"],
    ["a negative size", "-1\r\nx\r\n0\r\n\r\n"],
    ["a size beyond numbers", "ffffffffffffffffff\r\nx\r\n0\r\n\r\n"],
    ["more than its size", "1\r\nxx\r\n0\r\n\r\n"],
  ])("in chunks with %s is refused with 400", async (_, chunks) => {
    const raw = await Raw.open(usher.gatewayUrl);
    raw.send(`POST /orders HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
    const answer = await raw.answer();
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ type: "urn:usher:problem:request_malformed" });
    raw.close();
  });

  test("that is too large is counted so, and the log has said it", async () => {
    const counted = await refusalsCounted(usher, "body_too_large");
    await expectTooLarge(await post("/notes", Buffer.alloc(1_001, "x")));
    expect(await refusalsCounted(usher, "body_too_large")).toBe(counted + 1);
    expect(usher.output()).toContain("refused with 413 body_too_large");
  });

  test("that breaks off is no request, and takes no ticket", async () => {
    for (const framing of [
      "Content-Length: 10\r\n\r\nhalf",
      "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ]) {
      const raw = await Raw.open(usher.gatewayUrl);
      raw.send(`POST /orders HTTP/1.1\r\nHost: localhost\r\n${framing}`);
      raw.socket.end();
      await raw.closed();
    }
  });

  test("of a request that goes straight through has no limit, and is not held in memory", async () => {
    const before = await residentBytes(usher.pid);
    shop.answer = (res, seen) => void res.end(`${seen.body.length}`);
    const res = await post("/open", Buffer.alloc(48 * MiB, "x"));
    expect([res.status, await res.text()]).toEqual([200, `${48 * MiB}`]);
    expect((await residentBytes(usher.pid)) - before).toBeLessThan(GROWTH_MAX);
  });
});

/** Sends chunks until the other side has closed. */
async function sendWithoutEnd(raw: Raw): Promise<void> {
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
  while (!raw.socket.destroyed) {
    if (!raw.socket.write(chunk))
      await new Promise((resolve) => raw.socket.once("drain", resolve).once("close", resolve));
  }
}

interface Http2Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function postHttp2(session: ClientHttp2Session, body: Uint8Array): Promise<Http2Answer> {
  const stream = session.request({ ":method": "POST", ":path": "/notes" });
  let headers: IncomingHttpHeaders & { ":status"?: number } = {};
  let text = "";
  stream.on("response", (got) => {
    headers = got;
  });
  stream.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  stream.end(body);
  return new Promise((resolve, reject) => {
    stream.on("end", () => resolve({ status: headers[":status"], headers, body: text })).on("error", reject);
  });
}
