// What is refused before any routing, over raw sockets: the bytes are what a client would have to send.

import { once } from "node:events";
import { request } from "node:http";
import { connect as connect2 } from "node:http2";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { VIA_NAME } from "../src/listener/door.ts";
import { type Listener, listen } from "../src/listener/listener.ts";
import { exchange, problemOf, Raw, statusOf } from "./support/raw.ts";

let edge: Listener;
/** What came through the door. */
let arrived: { raw: string; path: string; query: string | undefined }[] = [];

beforeAll(async () => {
  edge = await listen({
    port: 0,
    onFault: () => undefined,
    handler: (_req, res, target) => {
      arrived.push(target);
      res.end("fine");
    },
  });
});
beforeEach(() => {
  arrived = [];
});
afterAll(() => edge.close({ grace_ms: 0 }));

const get = (target: string, headers = "Host: a\r\n") =>
  exchange(edge.port, `GET ${target} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`);

/** Refused, with a problem of that reason, and nothing came through; the next request is answered. */
async function expectRefused(answer: string, status: number, reason: string): Promise<void> {
  expect(statusOf(answer)).toBe(status);
  const problem = problemOf(answer);
  expect(problem).toMatchObject({ type: `urn:usher:problem:${reason}`, status });
  expect(problem.detail.length).toBeGreaterThan(10);
  expect(arrived).toEqual([]);
  expect(statusOf(await get("/next"))).toBe(200);
  arrived = [];
}

describe("a request is refused with a problem that says why, and nothing reaches the routes, when", () => {
  test.each([
    ["it has two Host headers", "Host: a\r\nHost: b\r\n", "host_duplicate"],
    ["it has the same Host twice", "Host: a\r\nhost: a\r\n", "host_duplicate"],
    ["it has no Host", "", "host_missing"],
    ["its Host is empty", "Host: \r\n", "host_invalid"],
    ["its Host is a URL", "Host: http://a/\r\n", "host_invalid"],
    ["its Host holds credentials", "Host: b@a\r\n", "host_invalid"],
    ["its Host holds a list", "Host: a, b\r\n", "host_invalid"],
    [
      "it has two Authorization headers",
      "Host: a\r\nAuthorization: x\r\nAuthorization: y\r\n",
      "header_duplicate",
    ],
    ["it has two keys", "Host: a\r\nIdempotency-Key: x\r\nidempotency-key: y\r\n", "header_duplicate"],
    ["it has two passes", "Host: a\r\nUsher-Pass: x\r\nUSHER-PASS: x\r\n", "header_duplicate"],
    [
      "its Connection names x-forwarded-for",
      "Host: a\r\nConnection: x-forwarded-for\r\n",
      "connection_header",
    ],
    [
      "its Connection names the key",
      "Host: a\r\nConnection: close, Idempotency-Key\r\n",
      "connection_header",
    ],
    [
      "a second Connection names Host",
      "Host: a\r\nConnection: close\r\nConnection: host\r\n",
      "connection_header",
    ],
    ["its Connection names a token", "Host: a\r\nConnection: usher-pass\r\n", "connection_header"],
  ])("%s", async (_, headers, reason) => {
    await expectRefused(await get("/x", headers), 400, reason);
  });

  test.each([
    ["absolute", "http://evil.example/x", "target_not_path"],
    ["absolute with this very host", "http://a/x", "target_not_path"],
    ["//evil", "//evil.example/x", "target_not_path"],
    ["/\\evil", "/\\evil.example/x", "target_not_path"],
    ["an asterisk", "*", "target_not_path"],
    ["a backslash further on", "/a\\..\\b", "target_ambiguous"],
    ["an encoded slash", "/a%2fb", "target_ambiguous"],
    ["an encoded slash in capitals", "/a%2Fb", "target_ambiguous"],
    ["an encoded backslash", "/a%5cb", "target_ambiguous"],
    ["a dot segment", "/a/../b", "target_ambiguous"],
    ["a dot segment at the end", "/a/..", "target_ambiguous"],
    ["a single dot", "/./a", "target_ambiguous"],
    ["an encoded dot segment", "/a/%2e%2e/b", "target_ambiguous"],
    ["half an encoded dot segment", "/a/.%2E/b", "target_ambiguous"],
    ["a dot segment with a parameter", "/a/..;x=1/b", "target_ambiguous"],
    ["an encoded NUL", "/a%00b", "target_malformed"],
    ["an encoded line break", "/a%0d%0aUsher-Pass:%20x", "target_malformed"],
    ["a broken escape", "/a%2", "target_malformed"],
    ["an escape that is none", "/a%zz", "target_malformed"],
    ["an overlong UTF-8 slash", "/a%c0%af..", "target_malformed"],
    ["an escape that is no UTF-8", "/a%ff", "target_malformed"],
    ["a fragment", "/a#b", "target_malformed"],
  ])("its target is %s", async (_, target, reason) => {
    // Node's own client would not send some of these; its server parses them all.
    await expectRefused(await get(target), 400, reason);
  });

  test.each([
    ["a byte beyond ASCII in the target", "GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["a control character in the target", "GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n"],
    [
      "a Content-Length with a Transfer-Encoding",
      post("Content-Length: 3\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    ],
    ["two Content-Lengths", post("Content-Length: 3\r\nContent-Length: 4", "abc")],
    ["a negative Content-Length", post("Content-Length: -1", "")],
    ["a Content-Length that is no number", post("Content-Length: 0x3", "abc")],
    ["a space before the colon", post("Content-Length : 3", "abc")],
    ["a folded header", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"],
    ["a bare line feed in a header", "GET / HTTP/1.1\r\nHost: a\r\nX: a\nUsher-Pass: x\r\n\r\n"],
    ["a carriage return in a header", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"],
    ["a NUL in a header", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"],
    ["something that is no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
    ["another version", "GET / HTTP/3.7\r\nHost: a\r\n\r\n"],
    ["a Transfer-Encoding that ends in something else", post("Transfer-Encoding: chunked, gzip", "")],
    ["two Transfer-Encodings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")],
    ["a Transfer-Encoding in HTTP/1.0", post("Transfer-Encoding: chunked", "0\r\n\r\n", "1.0")],
  ])("it holds %s", async (_, bytes) => {
    const raw = (await Raw.open(edge.port)).send(bytes);
    raw.socket.end();
    const answer = await raw.closed();
    const { type } = problemOf(answer);
    await expectRefused(answer, 400, type.replace("urn:usher:problem:", ""));
    expect(type).toMatch(/request_malformed|header_duplicate/);
  });

  test("its method is CONNECT or TRACE", async () => {
    const tunnel = await exchange(edge.port, "CONNECT evil.example:443 HTTP/1.1\r\nHost: a\r\n\r\n");
    await expectRefused(tunnel, 501, "method_refused");
    const echo = await exchange(edge.port, "TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await expectRefused(echo, 501, "method_refused");
  });

  test("it asks for another protocol, and could not go on in it", async () => {
    const upgrade = "Host: a\r\nUpgrade: websocket\r\nContent-Length: 0\r\nConnection: upgrade\r\n";
    await expectRefused(await get("/chat", upgrade), 501, "upgrade_refused");
  });

  test("its transfer coding is not chunked alone", async () => {
    const gzip = await exchange(
      edge.port,
      post("Transfer-Encoding: gzip, chunked\r\nConnection: close", "0\r\n\r\n"),
    );
    await expectRefused(gzip, 501, "transfer_coding");
  });

  test("it expects what cannot be met", async () => {
    await expectRefused(await get("/", "Host: a\r\nExpect: a-miracle\r\n"), 417, "expectation_failed");
  });

  test("its headers are too large, or too many", async () => {
    const large = await exchange(edge.port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(9_000)}\r\n\r\n`);
    await expectRefused(large, 431, "headers_too_large");
    const many = Array.from({ length: 101 }, (_, i) => `X-${i}: 1\r\n`).join("");
    await expectRefused(await get("/", `Host: a\r\n${many}`), 431, "headers_too_large");
    const target = await exchange(edge.port, `GET /${"x".repeat(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await expectRefused(target, 431, "headers_too_large");
  });

  test("it has been here before", async () => {
    await expectRefused(await get("/", `Host: a\r\nVia: 1.1 edge, 1.1 ${VIA_NAME}\r\n`), 508, "loop");
  });
});

function post(headers: string, body: string, version = "1.1"): string {
  return `POST / HTTP/${version}\r\nHost: a\r\n${headers}\r\n\r\n${body}`;
}

describe("the door lets pass", () => {
  test.each([
    ["/", "/", undefined],
    ["/a/b?x=/../%2f%00&y=//", "/a/b", "x=/../%2f%00&y=//"],
    ["/a?b?c", "/a", "b?c"],
    ["/%61%2D", "/a-", undefined],
    ["/caf%C3%A9", "/café", undefined],
    ["/a//b///", "/a/b/", undefined],
    ["/...", "/...", undefined],
    ["/a..b/.c", "/a..b/.c", undefined],
    ["/100%25", "/100%", undefined],
    ["/%2561%2520b", "/%61%20b", undefined],
  ])("%s, as %s to routes, its bytes unchanged", async (raw, path, query) => {
    expect(statusOf(await get(raw))).toBe(200);
    expect(arrived).toEqual([{ raw, path, query }]);
  });

  test("HTTP/1.0 without a Host", async () => {
    expect(statusOf(await exchange(edge.port, "GET /old HTTP/1.0\r\n\r\n"))).toBe(200);
  });

  test("an offer to upgrade to h2c, which it does not take", async () => {
    const offer =
      "Host: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade, HTTP2-Settings\r\n";
    expect(statusOf(await get("/", offer))).toBe(200);
  });

  test("headers of the connection that it does not know", async () => {
    expect(statusOf(await get("/", "Host: a\r\nConnection: x-mine\r\nX-Mine: 1\r\n"))).toBe(200);
  });
});

describe("over HTTP/2", () => {
  /** One request on a session of its own. */
  async function ask(headers: Record<string, string | string[]>): Promise<{ status: number; body: string }> {
    const session = connect2(`http://127.0.0.1:${edge.port}`);
    try {
      const stream = session.request(headers);
      let status = 0;
      let body = "";
      stream.on("response", (answer) => {
        status = answer[":status"] ?? 0;
      });
      stream.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      await once(stream, "close");
      return { status, body };
    } finally {
      session.destroy();
    }
  }

  test.each([
    [{ ":path": "/a/../b" }, 400, "target_ambiguous"],
    [{ ":path": "//evil/x" }, 400, "target_not_path"],
    [{ ":path": "/a%2fb" }, 400, "target_ambiguous"],
    [{ ":path": "/", host: "b" }, 400, "host_duplicate"],
    [{ ":path": "/", "usher-pass": ["a", "b"] }, 400, "header_duplicate"],
    [{ ":path": "/", ":method": "TRACE" }, 501, "method_refused"],
    [{ ":path": "/", ":method": "get" }, 501, "method_refused"],
    [{ ":path": "/", expect: "a-miracle" }, 417, "expectation_failed"],
  ])("the same is refused: %o", async (headers, status, reason) => {
    const answer = await ask({ ":authority": "a", ...headers });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ type: `urn:usher:problem:${reason}`, status });
    expect(arrived).toEqual([]);
  });

  test("an absolute target is a broken stream, by the protocol", async () => {
    await expect(ask({ ":path": "http://evil.example/x" })).rejects.toThrow("PROTOCOL_ERROR");
    expect(arrived).toEqual([]);
  });

  test("a tunnel is refused", async () => {
    expect((await ask({ ":method": "CONNECT", ":authority": "evil.example:443" })).status).toBe(501);
    expect(arrived).toEqual([]);
  });

  test("a usual request passes", async () => {
    expect(await ask({ ":path": "/a?b" })).toEqual({ status: 200, body: "fine" });
    expect(arrived).toEqual([{ raw: "/a?b", path: "/a", query: "b" }]);
  });
});

test("a refusal leaves the connection usable where the request was whole", async () => {
  const raw = await Raw.open(edge.port);
  raw.send("GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  await raw.until(/ 400 .* 200 OK.*fine/s);
  raw.socket.destroy();
});

test("Node's client and server agree with the raw ones: a usual request passes", async () => {
  const req = request({ port: edge.port, host: "127.0.0.1", path: "/usual" }).end();
  const [res] = await once(req, "response");
  expect(res.statusCode).toBe(200);
  res.resume();
});
