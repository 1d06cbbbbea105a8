// The same over HTTP/2: a client's stream becomes a request of HTTP/1.1, and the answer a stream again.

import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import { VIA_NAME } from "../src/listener/door.ts";
import { http2Half, Raw } from "./support/raw.ts";
import { closedPort, openAnswering, openForwarding, openHttp, openRaw, until } from "./support/service.ts";

function openSession(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  onTestFinished(() => session.destroy());
  return session;
}

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  lines: string[];
  trailers: Record<string, unknown>;
  body: string;
  code: number;
}

async function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string,
): Promise<Answer> {
  const stream = session.request({ ":path": "/", ...headers }, { endStream: body === undefined });
  const answer: Answer = { status: 0, headers: {}, lines: [], trailers: {}, body: "", code: 0 };
  stream.on("error", () => undefined);
  stream.on("response", (headers, _flags, lines: string[]) => {
    answer.status = headers[":status"] ?? 0;
    answer.headers = headers;
    answer.lines = lines;
  });
  stream.on("trailers", (trailers) => {
    answer.trailers = { ...trailers };
  });
  stream.setEncoding("utf8").on("data", (text: string) => {
    answer.body += text;
  });
  if (body !== undefined) stream.end(body);
  await new Promise((resolve) => stream.once("close", resolve));
  answer.code = stream.rstCode;
  return answer;
}

describe("over HTTP/2", () => {
  test("a request reaches the service as HTTP/1.1: host, target, cookie in one line, nothing of the protocol", async () => {
    const service = await openAnswering("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
    const edge = await openForwarding(service.port);
    const answer = await ask(openSession(edge.port), {
      ":path": "/a?b=%2f",
      ":authority": "shop.example:81",
      cookie: ["a=1", "b=2", "c=3"],
      te: "trailers",
      "x-two": ["1", "2"],
      "usher-pass": "x",
      "x-forwarded-for": "6.6.6.6",
      accept: "*/*",
    });
    expect(answer).toMatchObject({ status: 200, body: "fine" });
    const [head = ""] = service.received[0]!.split("\r\n\r\n", 1);
    expect(head.split("\r\n").filter((line) => !line.startsWith("connection:"))).toEqual([
      "GET /a?b=%2f HTTP/1.1",
      "host: shop.example:81",
      "x-two: 1",
      "x-two: 2",
      "accept: */*",
      "cookie: a=1; b=2; c=3",
      "te: trailers",
      `via: 2 ${VIA_NAME}`,
      "x-forwarded-for: 127.0.0.1",
      "x-forwarded-proto: http",
      "x-forwarded-host: shop.example:81",
      'forwarded: for=127.0.0.1;proto=http;host="shop.example:81"',
    ]);
    expect(edge.outcomes).toEqual([{ kind: "answered", status: 200 }]);
  });

  test("bodies go both ways, with a length and without, many at once on one connection", async () => {
    const seen: (string | undefined)[] = [];
    const port = await openHttp(async (req, res) => {
      let body = "";
      for await (const chunk of req) body += chunk;
      seen.push(req.headers["content-length"] ?? req.headers["transfer-encoding"]);
      res.end(`got ${body}`);
    });
    const edge = await openForwarding(port);
    const session = openSession(edge.port);
    const large = "x".repeat(300_000);
    const answers = await Promise.all([
      ask(session, { ":method": "POST" }, "without"),
      ask(session, { ":method": "POST", "content-length": 4 }, "with"),
      ask(session, { ":method": "PUT" }, large),
      ...Array.from({ length: 40 }, (_, i) => ask(session, { ":method": "POST" }, `${i}`)),
    ]);
    expect(answers.map(({ body }) => body)).toEqual([
      "got without",
      "got with",
      `got ${large}`,
      ...Array.from({ length: 40 }, (_, i) => `got ${i}`),
    ]);
    expect(seen).toContain("4");
    expect(seen.filter((framing) => framing === "chunked").length).toBe(42);
  });

  test("an answer comes with status, headers and trailers, without what belongs to HTTP/1.1's connection", async () => {
    const service = await openAnswering(
      "HTTP/1.1 299 Fine\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nUsher-Ticket: 1\r\n" +
        "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nETag: x\r\nETag: y\r\nDate: x\r\nX-One: 1\r\n" +
        "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
    );
    const edge = await openForwarding(service.port);
    const answer = await ask(openSession(edge.port), {});
    expect(answer).toMatchObject({ status: 299, body: "hi", trailers: { "x-sum": "7" } });
    const lines = answer.lines.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${answer.lines[i + 1]}`] : []));
    expect(lines).toEqual([
      ...[":status: 299", "set-cookie: a=1", "set-cookie: b=2", "etag: x", "etag: y", "date: x", "x-one: 1"],
    ]);
  });

  test("HEAD and 204 come without a body", async () => {
    const service = await openAnswering("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    const edge = await openForwarding(service.port);
    const head = await ask(openSession(edge.port), { ":method": "HEAD" });
    expect(head).toMatchObject({ status: 200, body: "", headers: { "content-length": "1000" } });
    const empty = await openAnswering("HTTP/1.1 204 No Content\r\n\r\n");
    const other = await openForwarding(empty.port);
    expect(await ask(openSession(other.port), {})).toMatchObject({ status: 204, body: "" });
  });

  test("a client that waits to be told to go on is told so when the service is there", async () => {
    const port = await openHttp((req, res) => void req.on("end", () => res.end("fine")).resume());
    const edge = await openForwarding(port);
    const stream = openSession(edge.port).request({
      ":path": "/",
      ":method": "POST",
      expect: "100-continue",
    });
    await new Promise((resolve) => stream.once("continue", resolve));
    stream.end("body");
    const [status] = await new Promise<number[]>((resolve) =>
      stream.once("response", (headers) => resolve([headers[":status"] ?? 0])),
    );
    expect(status).toBe(200);
    stream.resume();
  });

  test("a service that is not there is a problem, and the connection's other streams go on", async () => {
    const edge = await openForwarding(await closedPort());
    const session = openSession(edge.port);
    for (let i = 0; i < 2; i += 1) {
      const answer = await ask(session, { ":method": "POST" }, "body");
      expect(answer.status).toBe(502);
      expect(JSON.parse(answer.body).type).toBe("urn:usher:problem:service_unreachable");
    }
  });

  test("a status that HTTP/2 does not know is a problem, not half an answer", async () => {
    const service = await openAnswering("HTTP/1.1 799 Odd\r\nContent-Length: 4\r\n\r\nfine");
    const edge = await openForwarding(service.port);
    const answer = await ask(openSession(edge.port), {});
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body).type).toBe("urn:usher:problem:service_lost");
    expect(edge.outcomes).toMatchObject([{ kind: "lost", stage: "waiting", sent: true }]);
  });

  test("a service that breaks off midway ends the stream with an error, and no other", async () => {
    const service = await openAnswering("HTTP/1.1 200 OK\r\n\r\nhalf", (socket) => {
      setTimeout(() => socket.resetAndDestroy(), 20);
    });
    const edge = await openForwarding(service.port);
    const session = openSession(edge.port);
    const answers = await Promise.all([ask(session, {}), ask(session, {})]);
    for (const { status, code } of answers) {
      expect(status).toBe(200);
      expect(code).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    }
    expect(session.closed).toBe(false);
    expect(edge.outcomes).toMatchObject(Array(2).fill({ kind: "lost", stage: "answering" }));
  });

  test.each([
    ["cancels", constants.NGHTTP2_CANCEL],
    ["resets without an error", constants.NGHTTP2_NO_ERROR],
  ])(
    "a client that %s amid its body: the service's connection is closed, and nothing looks whole",
    async (_, code) => {
      const service = await openRaw(() => undefined);
      const edge = await openForwarding(service.port);
      const raw = (await Raw.open(edge.port)).send(http2Half.begin);
      await until(() => service.received[0]?.endsWith("4\r\nhalf") === true);
      raw.send(http2Half.reset(code));
      await until(() => edge.outcomes.length === 1 && service.connections[0]?.closed === true);
      expect(service.received[0]).toMatch(/half$/);
      expect(edge.outcomes).toMatchObject([{ kind: "client_gone" }]);
    },
  );

  test("a client whose connection goes away while it waits: the service's connections are closed", async () => {
    const service = await openRaw(() => undefined);
    const edge = await openForwarding(service.port);
    const session = openSession(edge.port);
    for (let i = 0; i < 3; i += 1) void ask(session, {});
    await until(() => service.received.filter((received) => received.endsWith("\r\n\r\n")).length === 3);
    session.destroy();
    await until(() => edge.outcomes.length === 3 && service.connections.every(({ closed }) => closed));
    expect(edge.outcomes).toEqual(Array(3).fill({ kind: "client_gone", stage: "waiting", sent: true }));
  });

  test("a service that answers before it has the whole body: the client gets the answer", async () => {
    const service = await openRaw((socket, received) => {
      if (received.length > 10_000 && socket.writable)
        socket.end("HTTP/1.1 413 No\r\nContent-Length: 4\r\n\r\nstop");
    });
    const edge = await openForwarding(service.port);
    const stream = openSession(edge.port).request({ ":path": "/", ":method": "POST" });
    stream.on("error", () => undefined);
    let body = "";
    stream.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    stream.write("x".repeat(20_000));
    await new Promise((resolve) => stream.once("end", resolve));
    expect(body).toBe("stop");
    expect(edge.outcomes).toEqual([{ kind: "answered", status: 413 }]);
    await until(() => edge.requests === 0);
  });
});
