// HTTP requests that make no sense, or more than one: each is refused in words, none of it reaches the service, and
// the next ticket has the next number.

import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from "node:http2";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { backendOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { Ledger } from "../support/ledger.ts";
import { residentBytes } from "../support/memory.ts";
import { refusalsCounted } from "../support/metrics.ts";
import { exchange, Raw } from "../support/raw.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";

/** What memory may grow by, in bytes, for all rows of this file together; 128 MiB. */
const GROWTH_MAX = 128 * 1_024 * 1_024;

let shop: Service;
/** Where targets that name a host of their own would lead. */
let evil: Service;
let usher: Usher;
let bytes_before: number;
let orders: Ledger;
/** What the shop had seen before the test. */
let before: number;

beforeAll(async () => {
  [shop, evil] = await Promise.all([startService(), startService()]);
  usher = await startUsher({
    config: `
services: { shop: { url: ${shop.url} } }
queues:
  orders: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h }
  returns: { kind: defer, mode: queue_all, limit: { max_active: 1 }, max_wait: 1h }
routes:
  - { match: POST /orders, service: shop, queue: orders, hold: 0s }
  - { match: /returns/*, service: shop, queue: returns, hold: 0s }
  - { match: /public/*, service: shop }
`,
  });
  orders = new Ledger(backendOf(usher), "orders");
  bytes_before = await residentBytes(usher.pid);
});
beforeEach(() => {
  before = shop.seen.length;
});
afterEach(async () => {
  expect(evil.seen).toEqual([]);
  const res = await fetch(`${usher.gatewayUrl}/orders`, { method: "POST", body: "{}" });
  expect(res.status).toBe(202);
  orders.note(Number(res.headers.get("usher-ticket")), tokenOf(res));
});
afterAll(async () => {
  await orders.check();
  expect((await residentBytes(usher.pid)) - bytes_before).toBeLessThan(GROWTH_MAX);
  expect(usher.output()).not.toMatch(/^\s+at /m);
  await usher.stop();
  await Promise.all([shop.stop(), evil.stop()]);
});

function tokenOf(res: Response): string {
  return res.headers.get("location")?.split("/").at(-1) ?? "";
}

/** Sends a request line and headers, and expects a refusal that the shop knows nothing of. */
async function refused(head: string): Promise<{ status: number; type: string }> {
  const answer = await exchange(usher.gatewayUrl, `${head}\r\n\r\n`);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  const { type, status } = JSON.parse(answer.body) as { type: string; status: number };
  expect(status).toBe(answer.status);
  expect(shop.seen).toHaveLength(before);
  return { status, type: type.replace("urn:usher:problem:", "") };
}

describe("a target", () => {
  const elsewhere = () => evil.url.replace("http://", "");

  test.each<[string, () => string, string]>([
    ["of two slashes and a host", () => `//${elsewhere()}/x`, "target_not_path"],
    ["of two slashes and a path", () => "//public/x", "target_not_path"],
    ["of a slash, a backslash and a host", () => `/\\${elsewhere()}/x`, "target_not_path"],
    ["that is absolute", () => `${evil.url}/public/x`, "target_not_path"],
    ["that is absolute and names Usher itself", () => `${usher.gatewayUrl}/public/x`, "target_not_path"],
    [
      "that is absolute, with somebody's name in it",
      () => `http://localhost@${elsewhere()}/`,
      "target_not_path",
    ],
    ["that is a host and no path", elsewhere, "request_malformed"],
    ["that is a question mark", () => "?/public/x", "request_malformed"],
    ["that is a star", () => "*", "target_not_path"],
    ["with a backslash in it", () => "/public\\..\\secret", "target_ambiguous"],
    ["with an encoded backslash", () => "/public/..%5csecret", "target_ambiguous"],
    ["that climbs up", () => "/public/../secret", "target_ambiguous"],
    ["that climbs up, encoded", () => "/public/%2e%2e/secret", "target_ambiguous"],
    ["that climbs up, half encoded", () => "/public/.%2E/secret", "target_ambiguous"],
    ["that climbs up behind an encoded slash", () => "/public/..%2fsecret", "target_ambiguous"],
    ["that climbs up before a parameter", () => "/public/..;x=1/secret", "target_ambiguous"],
    ["that stays where it is", () => "/./orders", "target_ambiguous"],
    ["with an encoded slash", () => "/public%2fx", "target_ambiguous"],
    ["with an overlong slash", () => "/public/%c0%af../secret", "target_malformed"],
    ["with an encoded zero byte", () => "/public/x%00.html", "target_malformed"],
    ["with an encoded line break", () => "/public/x%0d%0aX-Evil:1", "target_malformed"],
    ["with a broken escape", () => "/public/%zz", "target_malformed"],
    ["with an escape that is cut off", () => "/public/%e", "target_malformed"],
    ["that is no UTF-8", () => "/public/%ff%fe", "target_malformed"],
    ["with a fragment", () => "/public/x#y", "target_malformed"],
  ])("%s is refused with 400", async (_, target, type) => {
    expect(await refused(`GET ${target()} HTTP/1.1\r\nHost: localhost`)).toEqual({ status: 400, type });
  });

  test("with bytes that are not ASCII, or a space, is no HTTP", async () => {
    for (const target of ["/public/\xea\xb0\x80", "/public/a b"])
      expect(await refused(`GET ${target} HTTP/1.1\r\nHost: localhost`)).toMatchObject({ status: 400 });
  });

  test("that is spelled in another way leads to the same queue, not past it", async () => {
    for (const target of ["/%6frders", "/orders?x=//evil", "/%6F%72%64%65%72%73"]) {
      const answer = await exchange(
        usher.gatewayUrl,
        `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`,
      );
      expect(answer.status).toBe(202);
      orders.note(
        Number(answer.headers.get("usher-ticket")),
        answer.headers.get("location")?.split("/").at(-1) ?? "",
      );
    }
    expect(shop.seen).toHaveLength(before);
  });

  test("that leads elsewhere is refused over HTTP/2 too, and so are two hosts", async () => {
    const session = connectHttp2(usher.gatewayUrl);
    for (const [headers, type] of [
      [{ ":path": "//evil.example/x" }, "target_not_path"],
      [{ ":path": "/\\evil.example/x" }, "target_not_path"],
      [{ ":path": "/public/%2e%2e/secret" }, "target_ambiguous"],
      [{ ":path": "/public/x", ":authority": "localhost", host: "evil.example" }, "host_duplicate"],
    ] as const) {
      const [status, body] = await getHttp2(session, headers);
      expect([status, JSON.parse(body)]).toMatchObject([400, { type: `urn:usher:problem:${type}` }]);
    }
    session.destroy();
    expect(shop.seen).toHaveLength(before);
  });

  test("that no route fits is 404", async () => {
    for (const target of ["/", "/secret", "/publicity", "/ORDERS", "/orders/x"])
      expect(await refused(`POST ${target} HTTP/1.1\r\nHost: localhost`)).toEqual({
        status: 404,
        type: "route_not_found",
      });
  });

  test("of Usher's own that is nothing is 404, and a method that it does not know 405", async () => {
    for (const target of ["/_usher/", "/_usher/x", "/_usher/tickets/a/b", "/_usher/tickets/a/response/x"])
      expect(await refused(`GET ${target} HTTP/1.1\r\nHost: localhost`)).toEqual({
        status: 404,
        type: "not_found",
      });
    const { token } = await orders.takeNext();
    for (const [path, allow] of [
      ["", "GET, HEAD, DELETE"],
      ["/response", "GET, HEAD"],
    ]) {
      const url = `${usher.gatewayUrl}/_usher/tickets/${token}${path}`;
      const res = await fetch(url, { method: "PUT", body: "x" });
      expect(res.status).toBe(405);
      expect(res.headers.get("allow")).toBe(allow);
    }
  });
});

describe("a request", () => {
  test.each([
    ["with two hosts", "host_duplicate", "Host: localhost\r\nHost: evil.example"],
    ["with the same host twice", "host_duplicate", "Host: localhost\r\nHost: localhost"],
    ["without a host", "host_missing", "Accept: */*"],
    ["with an empty host", "host_invalid", "Host: "],
    ["with two hosts in one line", "host_invalid", "Host: localhost, evil.example"],
    ["with a host that is an address of another thing", "host_invalid", "Host: localhost/../evil.example"],
    ["with a host with somebody's name", "host_invalid", "Host: me@evil.example"],
    ["with a host whose port is none", "host_invalid", "Host: localhost:port"],
    ["that has Connection name X-Forwarded-For", "connection_header", "Connection: x-forwarded-for"],
    ["that hides it behind close", "connection_header", "Connection: close, X-Forwarded-For"],
    [
      "that hides it in a second line",
      "connection_header",
      "Connection: close\r\nConnection: X-Forwarded-For",
    ],
    ["that has Connection name its credentials", "connection_header", "Connection: authorization"],
    ["that has Connection name its key", "connection_header", "Connection: idempotency-key"],
    ["that has Connection name a header of Usher", "connection_header", "Connection: usher-ticket"],
    ["that has Connection name its host", "connection_header", "Connection: host"],
    ["with two keys", "header_duplicate", "Idempotency-Key: a\r\nIdempotency-Key: b"],
    ["with two credentials", "header_duplicate", "Authorization: Bearer a\r\nAuthorization: Bearer b"],
    ["with two API keys", "header_duplicate", "Usher-Api-Key: a\r\nUsher-Api-Key: b"],
  ])("%s is refused with 400", async (_, type, headers) => {
    const host = /^host/i.test(headers) || type === "host_missing" ? "" : "Host: localhost\r\n";
    expect(await refused(`POST /orders HTTP/1.1\r\n${host}${headers}`)).toEqual({ status: 400, type });
    expect(await refused(`GET /public/x HTTP/1.1\r\n${host}${headers}`)).toEqual({ status: 400, type });
  });

  test.each([
    ["with a length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked"],
    ["with two lengths", "Content-Length: 5\r\nContent-Length: 6"],
    ["with a length that is none", "Content-Length: +5"],
    ["with a length that is negative", "Content-Length: -1"],
    ["with a coding after chunked", "Transfer-Encoding: chunked, identity"],
    ["with a coding that only looks like chunked", "Transfer-Encoding: xchunked"],
    ["with a space before the colon", "Transfer-Encoding : chunked"],
    ["with a line that is folded", "X-Folded: a\r\n Transfer-Encoding: chunked"],
    ["with a bare line feed in its head", "X-Bare: a\nTransfer-Encoding: chunked"],
    ["with a zero byte in a header", "X-Zero: a\0b"],
  ])("%s is refused, and nothing behind it is taken for another request", async (_, headers) => {
    const raw = await Raw.open(usher.gatewayUrl);
    raw.send(`POST /public/outer HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n`);
    raw.send("0\r\n\r\nGET /public/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const { status } = await raw.answer();
    expect([400, 501]).toContain(status);
    expect(await raw.closed()).toBe("");
    expect(shop.seen).toHaveLength(before);
  });

  test("that says where it comes from is not believed", async () => {
    const claims = {
      "x-forwarded-for": "203.0.113.7",
      "x-forwarded-host": "evil.example",
      "x-forwarded-proto": "https",
      "x-real-ip": "203.0.113.7",
      forwarded: "for=203.0.113.7",
      "usher-ticket": "1",
    };
    await fetch(`${usher.gatewayUrl}/public/x`, { headers: claims });
    await fetch(`${usher.gatewayUrl}/returns/x`, { method: "POST", headers: claims });
    await eventually(() => expect(shop.seen).toHaveLength(before + 2));
    for (const { headers, target } of shop.seen.slice(before)) {
      expect(headers).toMatchObject({ "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http" });
      expect(JSON.stringify(headers)).not.toMatch(/203\.0\.113\.7|evil/);
      expect(headers["usher-ticket"]).toBe(target === "/public/x" ? undefined : "1");
    }
  });

  test("with an API key that is none is refused with 401 where it would have to wait", async () => {
    expect(await refused("POST /orders HTTP/1.1\r\nHost: localhost\r\nUsher-Api-Key: guessed")).toEqual({
      status: 401,
      type: "api_key_invalid",
    });
  });

  test("with headers beyond measure is refused with 431", async () => {
    const large = `X-Large: ${"x".repeat(9_000)}`;
    const many = Array.from({ length: 150 }, (_, n) => `X-${n}: ${n}`).join("\r\n");
    for (const headers of [large, many])
      expect(await refused(`GET /public/x HTTP/1.1\r\nHost: localhost\r\n${headers}`)).toEqual({
        status: 431,
        type: "headers_too_large",
      });
    expect(await refused(`GET /_usher/tickets/${"A".repeat(9_000)} HTTP/1.1\r\nHost: localhost`)).toEqual({
      status: 431,
      type: "headers_too_large",
    });
  });

  test("that is no HTTP is refused with 400, or closed", async () => {
    for (const bytes of [
      "\0\0\0\0\r\n\r\n",
      "hello\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00",
    ]) {
      const raw = (await Raw.open(usher.gatewayUrl)).send(bytes);
      raw.socket.end();
      expect(await raw.closed()).toMatch(/^(HTTP\/1\.1 400 .*request_malformed.*)?$/s);
    }
  });
});

test("each refusal is counted by its reason, and the log has said it", async () => {
  const shapes = [
    ["target_ambiguous", "GET /public/%2e%2e/x HTTP/1.1\r\nHost: localhost"],
    ["host_duplicate", "GET /public/x HTTP/1.1\r\nHost: localhost\r\nHost: evil.example"],
    ["connection_header", "GET /public/x HTTP/1.1\r\nHost: localhost\r\nConnection: x-forwarded-for"],
    ["header_duplicate", "GET /public/x HTTP/1.1\r\nHost: localhost\r\nUsher-Api-Key: a\r\nUsher-Api-Key: b"],
    ["headers_too_large", `GET /public/x HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(9_000)}`],
    ["request_malformed", "GET /public/x HTTP/1.1\r\nHost: localhost\r\nX : a"],
    ["route_not_found", "GET /nowhere HTTP/1.1\r\nHost: localhost"],
    ["api_key_invalid", "POST /orders HTTP/1.1\r\nHost: localhost\r\nUsher-Api-Key: guessed"],
  ] as const;
  for (const [reason, head] of shapes) {
    const counted = await refusalsCounted(usher, reason);
    await refused(head);
    expect([reason, await refusalsCounted(usher, reason)]).toEqual([reason, counted + 1]);
    expect(usher.output()).toMatch(new RegExp(`refused with \\d{3} ${reason}: `));
  }
});

describe("an idempotency key", () => {
  /** 128 bits, as a caller without credentials needs. */
  const KEY = "0123456789abcdefABCDEF";

  const send = (headers: Record<string, string>, path = "/returns/1", method = "POST", body = "mine") =>
    fetch(`${usher.gatewayUrl}${path}`, { method, body, headers, redirect: "manual" });

  /** The number of the ticket that an answer is about. */
  const numberOf = (res: Response) => Number(res.headers.get("usher-ticket"));

  test("used again with another body, method, path or query is refused with 422, and nothing is sent", async () => {
    const key = { "idempotency-key": `${KEY}-again` };
    const one = await send(key);
    expect(one.status).toBe(202);
    await eventually(() => expect(shop.seen).toHaveLength(before + 1));
    for (const [path, method, body] of [
      ["/returns/1", "POST", "another"],
      ["/returns/1", "POST", ""],
      ["/returns/1", "PUT", "mine"],
      ["/returns/2", "POST", "mine"],
      ["/returns/1?2", "POST", "mine"],
    ]) {
      const other = await send(key, path, method, body);
      expect(other.status).toBe(422);
      expect(await other.json()).toMatchObject({ type: "urn:usher:problem:key_reused" });
    }
    expect(numberOf(await send(key))).toBe(numberOf(one));
    expect(shop.seen.slice(before).map(({ body }) => body)).toEqual(["mine"]);
  });

  test.each([
    ["that is too short", KEY.slice(1), "shorter than 22 characters"],
    ["that is too long", "k".repeat(256), "longer than 255 characters"],
    ["that is empty", "", "shorter than 22 characters"],
    ["that is not ASCII", `${KEY}\xe9`, "not printable ASCII"],
  ])("%s is not the ticket's, which is said, and goes to the service unchanged", async (_, key, why) => {
    const one = await send({ "idempotency-key": key });
    const other = await send({ "idempotency-key": key });
    expect([one.status, other.status]).toEqual([202, 202]);
    expect(numberOf(other)).toBe(numberOf(one) + 1);
    expect(one.headers.get("usher-idempotency-key-ignored")).toBe(why);
    await eventually(() => expect(shop.seen).toHaveLength(before + 2));
    for (const { headers } of shop.seen.slice(before)) expect(headers["idempotency-key"]).toBe(key);
  });

  test("of one caller is not another's, and a short one will do for whoever says who they are", async () => {
    const key = { "idempotency-key": "1" };
    const alice = await send({ ...key, authorization: "Bearer alice" });
    const bob = await send({ ...key, authorization: "Bearer bob" });
    const backend = await send({ ...key, "usher-api-key": usher.apiKey });
    expect(alice.headers.get("usher-idempotency-key-ignored")).toBeNull();
    const numbers = [alice, bob, backend].map(numberOf);
    expect(new Set(numbers).size).toBe(3);
    expect(numberOf(await send({ ...key, authorization: "Bearer alice" }))).toBe(numbers[0]);
    expect(numberOf(await send({ ...key, authorization: "Bearer bob" }))).toBe(numbers[1]);
    await eventually(() => expect(shop.seen).toHaveLength(before + 3));
  });

  test("is made by Usher where there is none", async () => {
    await send({});
    await eventually(() => expect(shop.seen).toHaveLength(before + 1));
    expect(shop.seen.at(-1)?.headers["idempotency-key"]).toMatch(/^.{22,255}$/);
  });
});

async function getHttp2(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
): Promise<[number, string]> {
  const stream = session.request(headers);
  let status = 0;
  stream.on("response", (response) => {
    status = response[":status"] ?? 0;
  });
  let body = "";
  for await (const part of stream.setEncoding("utf8")) body += part;
  return [status, body];
}
