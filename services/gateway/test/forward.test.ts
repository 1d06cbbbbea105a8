// What passes through, and what does not: headers, bodies, framing. Failures are in forward-failures.test.ts.

import { createServer as createTls } from "node:https";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { certificate } from "../../../test/support/certificate.ts";
import { forward } from "../src/forward/forward.ts";
import { sendStored } from "../src/forward/send.ts";
import { Service } from "../src/forward/service.ts";
import { VIA_NAME } from "../src/listener/door.ts";
import { openEdge } from "./support/edge.ts";
import { exchange, Raw, statusOf } from "./support/raw.ts";
import {
  openAnswering,
  openForwarding,
  openHttp,
  openRaw,
  openService,
  portOf,
  until,
} from "./support/service.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";
const GET = "GET / HTTP/1.1\r\nHost: shop.example:81\r\nConnection: close\r\n\r\n";

/** The header lines of a request as a service got it, those of the connection to it left out. */
function linesOf(received: string): string[] {
  const [head = ""] = received.split("\r\n\r\n", 1);
  return head.split("\r\n").filter((line) => !/^connection:/i.test(line));
}

describe("a request reaches the service", () => {
  test("with method, target, host and end-to-end headers as they came, in order, duplicates and all", async () => {
    const service = await openAnswering(OK);
    const edge = await openForwarding(service.port);
    const target = '/a;p=1/%C3%A9%7E?q=%2f..&r=[]|"{}';
    const headers = [
      "X-One: 1",
      "x-two: a,  b",
      "X-ONE: 3",
      "Accept: */*",
      "X-Bytes: \xe9\xff",
      "X-Empty: ",
      "Via: 1.0 edge",
    ];
    const answer = await exchange(
      edge.port,
      `PROPFIND ${target} HTTP/1.1\r\nHost: shop.example:81\r\n${headers.join("\r\n")}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nfine$/s);
    expect(linesOf(service.received[0]!)).toEqual([
      `PROPFIND ${target} HTTP/1.1`,
      "host: shop.example:81",
      ...headers,
      `via: 1.1 ${VIA_NAME}`,
      "x-forwarded-for: 127.0.0.1",
      "x-forwarded-proto: http",
      "x-forwarded-host: shop.example:81",
      'forwarded: for=127.0.0.1;proto=http;host="shop.example:81"',
      "content-length: 0",
    ]);
    expect(edge.outcomes).toEqual([{ kind: "answered", status: 200 }]);
  });

  test("without what belongs to the connection, what clients may not claim, and what is Usher's", async () => {
    const service = await openAnswering(OK);
    const edge = await openForwarding(service.port, { headers: [["Usher-Ticket", "17"]] });
    const headers = [
      ...["Keep-Alive: timeout=5", "Proxy-Authorization: x", "Proxy-Connection: close", "TE: trailers, gzip"],
      ...["Upgrade: h2c", "HTTP2-Settings: AA", "Trailer: x", "X-Mine: 1", "Connection: close, X-Mine, TE"],
      ...[
        "X-Forwarded-For: 6.6.6.6",
        "x-forwarded-host: evil",
        "X-Forwarded-Prefix: /x",
        "Forwarded: for=6.6.6.6",
      ],
      ...[
        "X-Real-IP: 6.6.6.6",
        "X_Forwarded_For: 6.6.6.6",
        "X_Real_IP: 6.6.6.6",
        "X-Forwarded_Proto: https",
        "Usher_Ticket: 1",
        "usher_pass: x",
        "Proxy_Authorization: x",
        "X-Original-URL: /admin",
        "X-Original-Uri: /admin",
        "X-Rewrite-Url: /admin",
        "X-HTTP-Method-Override: DELETE",
        "X-HTTP-Method: DELETE",
        "X_Method-Override: DELETE",
        "Content_Length: 99",
        "Content_Type: text/html",
        "Transfer_Encoding: chunked",
        "Idempotency_Key: x",
        'Cookie: "usher-visitor"=x',
        "Usher-Ticket: 1",
        "usher-pass: x",
      ],
      "X-Kept: 1",
    ];
    await exchange(edge.port, `GET /x HTTP/1.1\r\nHost: a\r\n${headers.join("\r\n")}\r\n\r\n`);
    expect(linesOf(service.received[0]!)).toEqual([
      "GET /x HTTP/1.1",
      "host: a",
      "X-Kept: 1",
      "te: trailers",
      `via: 1.1 ${VIA_NAME}`,
      "x-forwarded-for: 127.0.0.1",
      "x-forwarded-proto: http",
      "x-forwarded-host: a",
      'forwarded: for=127.0.0.1;proto=http;host="a"',
      "Usher-Ticket: 17",
    ]);
  });

  test("with the address of an IPv6 client in brackets where the syntax wants them", async () => {
    const service = await openAnswering(OK);
    const edge = await openForwarding(service.port);
    const raw = await Raw.open(edge.port, "::1").catch(() => undefined);
    if (raw === undefined) return;
    await raw.send(GET).closed();
    expect(service.received[0]).toContain("x-forwarded-for: ::1\r\n");
    expect(service.received[0]).toContain('forwarded: for="[::1]";proto=http;host="shop.example:81"\r\n');
  });

  test("with its body, whether it has a length, comes in chunks, or is read already", async () => {
    const seen: unknown[] = [];
    const port = await openHttp(async (req, res) => {
      let body = "";
      for await (const chunk of req) body += chunk;
      const { "content-length": length, "transfer-encoding": coding } = req.headers;
      seen.push([req.method, length, coding, body]);
      res.end("fine");
    });
    const edge = await openForwarding(port);
    const raw = await Raw.open(edge.port);
    const requests = [
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
      "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
      "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ];
    for (const [nth, request] of requests.entries()) {
      raw.send(request);
      await until(() => edge.outcomes.length === nth + 1);
    }
    expect(seen).toEqual([
      ["POST", "3", undefined, "abc"],
      ["PUT", undefined, "chunked", "abcde"],
      ["GET", "2", undefined, "hi"],
      ["DELETE", undefined, undefined, ""],
      ["POST", "0", undefined, ""],
    ]);
    const whole = await openForwarding(port, { body: Buffer.from("stored") });
    await exchange(
      whole.port,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
    );
    expect(seen.at(-1)).toEqual(["POST", "6", undefined, "stored"]);
    raw.socket.destroy();
  });

  test("whose client waits to be told to go on is told so when the service is there, and not before", async () => {
    const service = await openRaw((socket, received) => {
      if (received.endsWith("abc")) socket.write(OK);
    });
    const edge = await openForwarding(service.port);
    const raw = await Raw.open(edge.port);
    raw.send(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
    );
    await raw.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    expect(service.connections.length).toBe(1);
    expect(await raw.send("abc").closed()).toMatch(/HTTP\/1\.1 200 OK.*fine$/s);
    expect(service.received[0]).not.toMatch(/expect/i);
  });

  test("on connections that are used again, one request at a time", async () => {
    const service = await openRaw((socket, received) => {
      if (received.endsWith("\r\n\r\n")) socket.write(OK);
    });
    const edge = await openForwarding(service.port);
    for (let i = 0; i < 20; i += 1) expect(statusOf(await exchange(edge.port, GET))).toBe(200);
    expect(service.connections.length).toBeLessThan(5);
  });
});

describe("an answer reaches the client", () => {
  async function answerTo(bytes: string, request = GET, end = false): Promise<string> {
    const service = await openAnswering(bytes, (socket) => end && socket.end());
    const edge = await openForwarding(service.port);
    return exchange(edge.port, request);
  }
  const headOf = (answer: string) => (answer.split("\r\n\r\n", 1)[0] ?? "").split("\r\n");

  test("with status, reason and end-to-end headers as they came, in order, duplicates and all", async () => {
    const headers = [
      "X-One: 1",
      "Set-Cookie: a=1",
      "set-cookie: b=2",
      "X-Bytes: \xe9\xff",
      "Date: long ago",
      'ETag: W/"x"',
    ];
    const answer = await answerTo(
      `HTTP/1.1 299 Quite Fine\r\n${headers.join("\r\n")}\r\nContent-Length: 2\r\n\r\nhi`,
    );
    expect(headOf(answer)).toEqual([
      "HTTP/1.1 299 Quite Fine",
      ...headers,
      "Content-Length: 2",
      "Connection: close",
    ]);
    expect(answer).toMatch(/\r\n\r\nhi$/);
  });

  test("without what belongs to the connection, and what only Usher may say", async () => {
    const answer = await answerTo(
      "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=9\r\nUpgrade: h2c\r\n" +
        "Proxy-Authenticate: x\r\nUsher-Ticket: 1\r\nUSHER-PASS: x\r\nDate: x\r\n" +
        'Set-Cookie: __Host-usher-visitor=x\r\nSet-Cookie: "usher-visitor"=x\r\nContent-Length: 2\r\n\r\nhi',
    );
    expect(headOf(answer)).toEqual(["HTTP/1.1 200 OK", "Date: x", "Content-Length: 2", "Connection: close"]);
  });

  test("with what the caller adds", async () => {
    const service = await openAnswering(OK);
    const edge = await openForwarding(service.port, { answerHeaders: [["Usher-Notice", "hello"]] });
    expect(await exchange(edge.port, GET)).toContain("\r\nUsher-Notice: hello\r\n");
  });

  test.each([
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", /\r\nContent-Length: 1000\r\n/],
    [
      "GET",
      "HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 1000\r\n\r\n",
      /\r\nContent-Length: 1000\r\n/,
    ],
    ["GET", "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", /\r\nX: y\r\n/],
    ["HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", /200 OK/],
  ])("without a body where none belongs, %s and %j", async (method, bytes, pattern) => {
    const service = await openAnswering(bytes);
    const edge = await openForwarding(service.port);
    const raw = (await Raw.open(edge.port)).send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until(() => edge.outcomes.length === 1);
    // The connection goes on, with nothing in between.
    raw.send(`${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const answer = await raw.closed();
    expect(answer).toMatch(pattern);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(2);
    expect(answer).toMatch(/\r\n\r\nHTTP\/1\.1.*\r\n\r\n$/s);
    expect(edge.outcomes).toMatchObject([{ kind: "answered" }, { kind: "answered" }]);
  });

  test("in chunks where it has no length, with its trailers but those that would come too late", async () => {
    const answer = await answerTo(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" +
        "2\r\nxy\r\n1\r\nz\r\n0\r\nX-Sum: 7\r\nUsher-Ticket: 1\r\nAuthorization: 9\r\n" +
        "Set-Cookie: usher-visitor=x\r\n\r\n",
    );
    expect(answer).toMatch(/\r\nTrailer: X-Sum\r\n.*\r\ntransfer-encoding: chunked\r\n/is);
    const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
    expect(body).toMatch(/^2\r\nxy\r\n1\r\nz\r\n0\r\nX-Sum: 7\r\n\r\n$/);
  });

  test("that ends with the service's connection ends as a whole one", async () => {
    const answer = await answerTo("HTTP/1.0 200 OK\r\n\r\nold but fine", GET, true);
    expect(answer).toMatch(/\r\n\r\nc\r\nold but fine\r\n0\r\n\r\n$/);
  });

  test("of HTTP/1.0 without chunks, ended by the connection", async () => {
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    const answer = await answerTo(chunked, "GET / HTTP/1.0\r\n\r\n");
    expect(answer).toMatch(/\r\n\r\nab$/);
    expect(answer).not.toMatch(/transfer-encoding/i);
  });

  test("at once, head first, even where the body takes its time", async () => {
    let send = (): void => undefined;
    const port = await openHttp((_req, res) => {
      res.flushHeaders();
      send = () => void res.end("data: late\n\n");
    });
    const edge = await openForwarding(port);
    const raw = (await Raw.open(edge.port)).send(GET);
    await raw.until(/\r\n\r\n$/);
    send();
    expect(await raw.closed()).toMatch(/data: late\n\n/);
  });

  test("after early hints, which go before it, and other 1xx, which do not", async () => {
    const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nUsher-Ticket: 1\r\n\r\n";
    const answer = await answerTo(`HTTP/1.1 102 Processing\r\n\r\n${hints}${hints}${OK}`);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 103", "HTTP/1.1 103", "HTTP/1.1 200"]);
    expect(answer).toMatch(/link: <\/a\.css>; rel=preload\r\n/i);
    expect(answer).not.toMatch(/usher/i);
    expect(await answerTo(`HTTP/1.1 103 Early Hints\r\nLink: nonsense\r\n\r\n${OK}`)).toMatch(
      /^HTTP\/1\.1 200 OK/,
    );
    const storm = await answerTo(`${hints.repeat(1_000)}${OK}`);
    expect(storm.match(/HTTP\/1\.1 103/g)).toHaveLength(16);
    expect(storm).toMatch(/HTTP\/1\.1 200 OK/);
    expect(await answerTo(`${hints}${OK}`, "GET / HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test("with a reason that HTTP would not allow replaced by none", async () => {
    expect(await answerTo("HTTP/1.1 200 \xf0\x9f\x8e\xab\r\nContent-Length: 0\r\n\r\n")).toMatch(
      /^HTTP\/1\.1 200 \r\n/,
    );
  });
});

describe("a service's address", () => {
  test.each(["ftp://a", "shop", "http://a/path", "http://a/?q", "http://u:p@a/", ""])(
    "%j is refused in words",
    (url) => {
      expect(() => new Service("shop", url)).toThrow(/service shop: /);
    },
  );

  describe("with TLS", () => {
    async function openTls(): Promise<{ service: Service; names: string[]; connections: () => number }> {
      const names: string[] = [];
      let connections = 0;
      const server = createTls(
        {
          ...certificate,
          SNICallback: (name, callback) => {
            names.push(name);
            callback(null);
          },
        },
        (req, res) => res.end(req.headers.host),
      ).listen(0, "localhost");
      server.on("connection", () => {
        connections += 1;
      });
      const service = new Service("shop", `https://localhost:${await portOf(server)}`);
      onTestFinished(async () => {
        await service.close();
        server.close();
      });
      return { service, names, connections: () => connections };
    }

    const send = (service: Service, host: string) =>
      sendStored({
        ...{ service, method: "GET", target: "/", body: new Uint8Array(), timeout_ms: 5_000 },
        headers: [{ name: "host", value: Buffer.from(host) }],
      });

    test("is what TLS asks for; a certificate that nobody vouches for is refused before anything is sent", async () => {
      const { service, names } = await openTls();
      expect(await send(service, "evil.example")).toMatchObject({
        kind: "not_connected",
        error: { code: "DEPTH_ZERO_SELF_SIGNED_CERT" },
      });
      expect(names).toEqual(["localhost"]);
    });

    test("keeps its connection whatever hosts the clients name", async () => {
      vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
      onTestFinished(() => void vi.unstubAllEnvs());
      const { service, names, connections } = await openTls();
      for (const host of ["a.example", "b.example", "127.0.0.1", "c.example", "a.example", "d.example"])
        expect(await send(service, host)).toMatchObject({ kind: "answered", body: Buffer.from(host) });
      // A second where the first was not free again when the next request came.
      expect(connections()).toBeLessThanOrEqual(2);
      expect(new Set(names)).toEqual(new Set(["localhost"]));
    });
  });
});

test("a service whose address leads back here is found out", async () => {
  let service: Service;
  const edge = await openEdge(
    async (req, res) => void (await forward(req, res, { service, timeout_ms: 5_000 })),
  );
  service = openService(edge.port);
  const answer = await exchange(edge.port, GET);
  expect(statusOf(answer)).toBe(508);
  expect(answer).toContain("urn:usher:problem:loop");
});
