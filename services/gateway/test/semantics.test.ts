// What HTTP means passes through unchanged: ranges and conditions, methods that ask about a resource, answers without a
// body, trailers, and clients and bodies of odd but rightful shapes.

import { connect } from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import { openEdge } from "./support/edge.ts";
import { exchange, Raw, statusOf } from "./support/raw.ts";
import { openAnswering, openForwarding, openHttp, openRaw, until } from "./support/service.ts";

const TEXT = "0123456789";

/** A service of one resource, with ranges and validators. */
function openResource(): Promise<number> {
  return openHttp((req, res) => {
    const validators = {
      ETag: '"v1"',
      "Last-Modified": "Sun, 22 Nov 2026 00:00:00 GMT",
      "Accept-Ranges": "bytes",
    };
    const { range, "if-range": ifRange, "if-none-match": ifNoneMatch } = req.headers;
    if (ifNoneMatch === '"v1"') return void res.writeHead(304, validators).end();
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    if (from === undefined || to === undefined || (ifRange !== undefined && ifRange !== '"v1"'))
      return void res.writeHead(200, { ...validators, "Content-Length": TEXT.length }).end(TEXT);
    if (Number(to) >= TEXT.length)
      return void res
        .writeHead(416, { "Content-Range": `bytes */${TEXT.length}`, "Content-Length": 0 })
        .end();
    const part = TEXT.slice(Number(from), Number(to) + 1);
    const about = { "Content-Range": `bytes ${from}-${to}/${TEXT.length}`, "Content-Length": part.length };
    res.writeHead(206, { ...validators, ...about }).end(part);
  });
}

describe("ranges and conditions pass as they are", () => {
  test.each<[Record<string, string>, number, string | null, string]>([
    [{}, 200, null, TEXT],
    [{ range: "bytes=2-4" }, 206, "bytes 2-4/10", "234"],
    [{ range: "bytes=2-4", "if-range": '"v1"' }, 206, "bytes 2-4/10", "234"],
    [{ range: "bytes=2-4", "if-range": '"v0"' }, 200, null, TEXT],
    [{ range: "bytes=2-40" }, 416, "bytes */10", ""],
    [{ "if-none-match": '"v1"' }, 304, null, ""],
  ])("%o", async (headers, status, contentRange, body) => {
    const edge = await openForwarding(await openResource());
    const res = await fetch(`http://127.0.0.1:${edge.port}/`, { headers });
    expect([res.status, res.headers.get("content-range"), await res.text()]).toEqual([
      status,
      contentRange,
      body,
    ]);
    if (status !== 416) expect(res.headers.get("etag")).toBe('"v1"');
  });

  test("HEAD tells what GET would", async () => {
    const edge = await openForwarding(await openResource());
    const [head, get] = await Promise.all(
      ["HEAD", "GET"].map((method) => fetch(`http://127.0.0.1:${edge.port}/`, { method })),
    );
    const said = (res?: Response) =>
      [...(res?.headers ?? [])].filter(([name]) => !/^(date|connection|keep-alive)$/.test(name));
    expect(said(head)).toEqual(said(get));
    expect([await head?.text(), await get?.text()]).toEqual(["", TEXT]);
  });
});

describe("OPTIONS", () => {
  test("of a resource is the service's to answer", async () => {
    const port = await openHttp((req, res) => void res.writeHead(204, { Allow: `GET, ${req.method}` }).end());
    const edge = await openForwarding(port);
    const res = await fetch(`http://127.0.0.1:${edge.port}/x`, { method: "OPTIONS" });
    expect([res.status, res.headers.get("allow")]).toEqual([204, "GET, OPTIONS"]);
  });

  test("of the whole server is Usher's own, over either protocol, and reaches no route", async () => {
    let handled = 0;
    const edge = await openEdge((_req, res) => {
      handled += 1;
      res.end();
    });
    const answer = await exchange(edge.port, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 204 No Content\r\n/);
    const session = connect(`http://127.0.0.1:${edge.port}`);
    onTestFinished(() => session.destroy());
    const stream = session.request({ ":method": "OPTIONS", ":path": "*" }).resume();
    const status = await new Promise((resolve) =>
      stream.once("response", (head) => resolve(head[":status"])),
    );
    expect([status, handled]).toEqual([204, 0]);
    expect(
      statusOf(await exchange(edge.port, "GET * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")),
    ).toBe(400);
  });
});

describe("a body in chunks", () => {
  const CHUNKED = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n";

  test.each([
    ["with extensions", "3;a=b;c\r\nabc\r\n2\r\nde\r\n0;z\r\n\r\n"],
    ["with sizes in capitals and leading zeros", "003\r\nabc\r\n0002\r\nde\r\n000\r\n\r\n"],
    ["a byte at a time", "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n1\r\ne\r\n0\r\n\r\n"],
    ["with trailers, which are announced", "5\r\nabcde\r\n0\r\nX-Sum: 1\r\nUsher-Ticket: 9\r\n\r\n"],
  ])("%s is the same body, and no trailer becomes a header", async (_, chunks) => {
    let seen: unknown;
    const port = await openHttp(async (req, res) => {
      let body = "";
      for await (const chunk of req) body += chunk;
      seen = [body, req.headers["x-sum"], req.headers["usher-ticket"], req.headers.trailer];
      res.end();
    });
    const edge = await openForwarding(port);
    expect(statusOf(await exchange(edge.port, `${CHUNKED}Trailer: X-Sum\r\n\r\n${chunks}`))).toBe(200);
    expect(seen).toEqual(["abcde", undefined, undefined, undefined]);
  });

  test("with extensions without end is refused", async () => {
    const service = await openRaw(() => undefined);
    const edge = await openForwarding(service.port);
    const answer = await exchange(edge.port, `${CHUNKED}\r\n1;${"x".repeat(100_000)}\r\na\r\n0\r\n\r\n`);
    expect(statusOf(answer)).toBe(413);
    await until(() => service.connections.every((socket) => socket.closed));
  });
});

describe("a client of HTTP/1.0", () => {
  test("is answered without chunks or hints, and its connection closed", async () => {
    const service = await openAnswering(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    );
    const edge = await openForwarding(service.port);
    const answer = await exchange(edge.port, "GET / HTTP/1.0\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).not.toMatch(/transfer-encoding|early/i);
    expect(answer).toMatch(/\r\n\r\nfine$/);
  });

  test("keeps its connection where it asks to, and the answer has a length", async () => {
    const service = await openAnswering("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
    const edge = await openForwarding(service.port);
    const raw = (await Raw.open(edge.port)).send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    await raw.until(/connection: keep-alive.*fine$/is);
    raw.send("GET / HTTP/1.0\r\n\r\n");
    expect((await raw.closed()).match(/fine/g)).toHaveLength(2);
  });
});

test("an answer over HTTP/1.1 ends the connection where the client asks for that, and else does not", async () => {
  const service = await openAnswering(
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfine",
  );
  const edge = await openForwarding(service.port);
  const raw = (await Raw.open(edge.port)).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  // What the service does with its own connection is not this client's affair.
  await raw.until(/connection: keep-alive.*fine$/is);
  raw.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(await raw.closed()).toMatch(/connection: close\r\n.*fine$/is);
});

test("headers of other letters than ASCII's pass byte by byte, and are what they were", async () => {
  const service = await openAnswering(
    "HTTP/1.1 200 OK\r\nX-Name: \xc3\xa9\xf0\x9f\x8e\xab\xff\r\nContent-Length: 0\r\n\r\n",
  );
  const edge = await openForwarding(service.port);
  const answer = await exchange(
    edge.port,
    "GET / HTTP/1.1\r\nHost: a\r\nX-Mine: \xc3\xbc\xff\r\nCookie: a=\xe9\r\nConnection: close\r\n\r\n",
  );
  expect(answer).toContain("\r\nX-Name: \xc3\xa9\xf0\x9f\x8e\xab\xff\r\n");
  expect(service.received[0]).toContain("\r\nX-Mine: \xc3\xbc\xff\r\n");
  expect(service.received[0]).toContain("a=\xe9\r\n");
});
