// What becomes of a request, and what its client sees, when the service or the client misbehaves.

import { describe, expect, test } from "vitest";
import { openDeaf } from "./support/deaf.ts";
import { exchange, problemOf, Raw, refusal, statusOf } from "./support/raw.ts";
import { closedPort, openAnswering, openForwarding, openHttp, openRaw, until } from "./support/service.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST_GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Refused with this problem; the edge answers the next request as if nothing had been. */
function expectProblem(answer: string, status: number, reason: string): void {
  expect(statusOf(answer)).toBe(status);
  expect(problemOf(answer).type).toBe(`urn:usher:problem:${reason}`);
}

describe("a service", () => {
  test("that is not there: 502, and it is known that nothing was sent", async () => {
    const edge = await openForwarding(await closedPort());
    const answer = await refusal(edge.port, GET);
    expectProblem(answer, 502, "service_unreachable");
    expect(answer).toMatch(/\r\nretry-after: 1\r\n/);
    expect(edge.outcomes).toMatchObject([{ kind: "not_connected", stage: "connecting", sent: false }]);
  });

  test("that is not there: a client that waits to send its body is not told to", async () => {
    const edge = await openForwarding(await closedPort());
    const answer = await refusal(
      edge.port,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
    );
    expectProblem(answer, 502, "service_unreachable");
  });

  test("that takes no connection: 504, and it is known that nothing was sent", async () => {
    const port = await openDeaf();
    const whole = await openForwarding(port, { timeout_ms: 100 });
    expectProblem(await refusal(whole.port, GET), 504, "service_timeout");
    const connecting = await openForwarding(port, { limits: { connect_ms: 100 } });
    expectProblem(await refusal(connecting.port, GET), 504, "service_timeout");
    for (const { outcomes } of [whole, connecting])
      expect(outcomes).toMatchObject([{ kind: "timed_out", stage: "connecting", sent: false }]);
  });

  test.each([
    ["closes", (socket: { destroy(): void }) => socket.destroy()],
    ["resets", (socket: { resetAndDestroy(): void }) => socket.resetAndDestroy()],
    ["ends", (socket: { end(): void }) => socket.end()],
  ])("that %s the connection instead of answering: 502, and the request counts as sent", async (_, act) => {
    const service = await openRaw((socket, received) => received !== "" && act(socket));
    const edge = await openForwarding(service.port);
    expectProblem(await refusal(edge.port, GET), 502, "service_lost");
    expect(edge.outcomes).toMatchObject([{ kind: "lost", stage: "waiting", sent: true }]);
    expect(service.connections.length, "and it was not sent again").toBe(1);
  });

  test.each([
    ["garbage", "SSH-2.0-OpenSSH_9.9\r\n\r\n"],
    ["half a head, then its end", "HTTP/1.1 200 OK\r\nContent-"],
    ["too large a head", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}\r\n\r\n`],
    [
      "a length and chunks",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"],
    [
      "a coding that nobody asked for",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ],
    ["another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
    // RFC 9110, 15.2 would have it skipped; undici does not.
    [
      "a 100 that nobody asked for",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
    ["an impossible status", "HTTP/1.1 042 What\r\nContent-Length: 0\r\n\r\n"],
    ["a control character in a header", "HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n"],
    ["a bare line feed in a header", "HTTP/1.1 200 OK\r\nX: a\nUsher-Pass: b\r\nContent-Length: 0\r\n\r\n"],
  ])("that answers %s: 502", async (_, bytes) => {
    const service = await openAnswering(bytes, (socket) => socket.end());
    const edge = await openForwarding(service.port);
    expectProblem(await refusal(edge.port, GET), 502, "service_lost");
    expect(edge.outcomes).toMatchObject([{ kind: "lost", stage: "waiting", sent: true }]);
  });

  test.each([
    ["its length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "end"],
    ["its last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "end"],
    ["a chunk's end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", "end"],
    [
      "its length, announcing the end",
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf",
      "end",
    ],
    ["the end, by a reset", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf", "reset"],
    ["the end, by a reset, of HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhalf", "reset"],
    [
      "a chunk that is one",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
      "end",
    ],
  ])(
    "that breaks off before %s: the client's connection is cut, and nothing looks whole",
    async (_, bytes, how) => {
      const service = await openAnswering(bytes, (socket) => {
        // When it is through: a reset overtakes what is still on its way.
        setTimeout(() => (how === "reset" ? socket.resetAndDestroy() : socket.end()), 20);
      });
      const edge = await openForwarding(service.port);
      for (const version of ["1.1", "1.0"]) {
        const raw = (await Raw.open(edge.port)).send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
        const errors: unknown[] = [];
        raw.socket.on("error", (error) => errors.push(error));
        const answer = await raw.closed();
        expect(answer).not.toMatch(/\r\n0\r\n\r\n$/);
        expect(answer).not.toContain("urn:usher");
        expect(errors, "the client sees a reset, which is no end").toMatchObject([{ code: "ECONNRESET" }]);
      }
      expect(edge.outcomes).toMatchObject(Array(2).fill({ kind: "lost", stage: "answering", sent: true }));
    },
  );

  test("that never answers: 504, and its connection is closed", async () => {
    const service = await openRaw(() => undefined);
    const edge = await openForwarding(service.port, { timeout_ms: 60 });
    expectProblem(await refusal(edge.port, GET), 504, "service_timeout");
    expect(edge.outcomes).toMatchObject([{ kind: "timed_out", stage: "waiting", sent: true }]);
    await until(() => service.connections[0]?.closed === true);
    expect(edge.service.inFlight).toBe(0);
  });

  test("that begins its answer in time may take as long as it will, however slowly it comes", async () => {
    const end = 12;
    const service = await openAnswering("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", (socket) => {
      let sent = 0;
      const timer = setInterval(() => {
        sent += 1;
        socket.write("x");
        if (sent === end) clearInterval(timer);
      }, 20);
      socket.once("close", () => clearInterval(timer));
    });
    const edge = await openForwarding(service.port, { timeout_ms: 100, silence_ms: 200 });
    expect(await exchange(edge.port, LAST_GET)).toMatch(/\r\n\r\nx{12}$/);
    expect(edge.outcomes).toEqual([{ kind: "answered", status: 200 }]);
  });

  test.each([
    ["an answer", "text/plain", { silence_ms: 50 }],
    ["a stream of events", "text/event-stream; charset=utf-8", { event_silence_ms: 50 }],
  ])("that falls silent amid %s: the client's connection is cut", async (_, type, limits) => {
    const head = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: 10\r\n\r\n`;
    const service = await openAnswering(`${head}half`);
    const edge = await openForwarding(service.port, { limits });
    const answer = await (await Raw.open(edge.port)).send(GET).closed();
    expect(answer).toMatch(/half$/);
    expect(edge.outcomes).toMatchObject([{ kind: "timed_out", stage: "answering" }]);
    await until(() => service.connections[0]?.closed === true);
    expect(edge.service.inFlight).toBe(0);
  });

  test("is not blamed for the silence of a client that takes nothing", async () => {
    const size = 24 * 1_024 * 1_024;
    const port = await openHttp((_req, res) => void res.end(Buffer.alloc(size, "x")));
    const edge = await openForwarding(port, { silence_ms: 50 });
    const raw = await Raw.open(edge.port);
    raw.socket.pause();
    raw.send(LAST_GET);
    // Longer than the service may be silent, with most of the answer still at it.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(edge.outcomes).toEqual([]);
    raw.socket.resume();
    expect((await raw.closed()).length).toBeGreaterThan(size);
    expect(edge.outcomes).toEqual([{ kind: "answered", status: 200 }]);
  });

  test("that answers late answers nobody, and the next request gets its own answer", async () => {
    const service = await openRaw((socket, received, nth) => {
      if (!received.endsWith("\r\n\r\n")) return;
      const answer = `HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${nth}`;
      if (nth === 0) setTimeout(() => socket.write(answer), 120);
      else socket.write(answer);
    });
    const edge = await openForwarding(service.port, { timeout_ms: 60 });
    expectProblem(await refusal(edge.port, GET), 504, "service_timeout");
    await until(() => service.connections[0]?.closed === true);
    const raw = (await Raw.open(edge.port)).send(GET);
    await raw.until(/\r\n\r\n1$/);
    raw.socket.destroy();
  });

  test("that answers before it has the whole body: the client gets the answer, and can go on", async () => {
    const early = "HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\n\r\nstop";
    const service = await openRaw(
      (socket, received) => received.length > 10_000 && socket.writable && socket.end(early),
    );
    const edge = await openForwarding(service.port);
    const raw = await Raw.open(edge.port);
    raw.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n${"x".repeat(20_000)}`);
    await raw.until(/413 Too Much.*stop$/s);
    expect(edge.outcomes).toEqual([{ kind: "answered", status: 413 }]);
    raw.send("x".repeat(380_000));
    raw.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${"x".repeat(3_000)}\r\n\r\n`);
    // Not enough for the service to answer: the point is that the second request arrives there.
    await until(() => service.received.some((received) => received.startsWith("GET / ")));
    raw.socket.destroy();
  });

  test("that has as many requests as it may: 503, at once, and nothing was sent", async () => {
    const service = await openRaw(() => undefined);
    const edge = await openForwarding(service.port, { limits: { connections: 2 } });
    const waiting = [(await Raw.open(edge.port)).send(GET), (await Raw.open(edge.port)).send(GET)];
    await until(() => service.received.filter((received) => received !== "").length === 2);
    const answer = await refusal(edge.port, GET);
    expectProblem(answer, 503, "service_overloaded");
    expect(answer).toMatch(/\r\nretry-after: 1\r\n/);
    expect(edge.outcomes).toMatchObject([{ kind: "not_connected", sent: false }]);
    for (const raw of waiting) raw.socket.destroy();
    await until(() => edge.service.inFlight === 0);
  });

  test("never gets two requests on one connection at a time, so that one that breaks takes no other along", async () => {
    const service = await openRaw((socket, received) => {
      if (received.includes("/break")) socket.resetAndDestroy();
      else if (received !== "") socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    });
    const edge = await openForwarding(service.port);
    const waiting = await Promise.all([1, 2, 3, 4].map(() => Raw.open(edge.port)));
    for (const raw of waiting) raw.send(GET);
    await Promise.all(waiting.map((raw) => raw.until(/half$/)));
    await refusal(edge.port, "GET /break HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(service.received.map((received) => received.split("\r\n\r\n").length - 1)).toEqual([
      1, 1, 1, 1, 1,
    ]);
    expect(edge.outcomes).toMatchObject([{ kind: "lost" }]);
    for (const raw of waiting) raw.socket.destroy();
  });

  test("that closes an idle connection just as the next request is written: nothing is sent twice", async () => {
    // Each connection answers one request, says that it stays, and is gone when the second comes.
    const service = await openRaw((socket, received) => {
      const count = received.split("\r\n\r\n").length - 1;
      if (count === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
      if (count === 2) socket.resetAndDestroy();
    });
    const edge = await openForwarding(service.port);
    const raw = await Raw.open(edge.port);
    for (let i = 0; i < 6; i += 1) {
      raw.send(GET);
      await until(() => edge.outcomes.length === i + 1);
    }
    const sent = service.received.join("").split("\r\n\r\n").length - 1;
    expect(sent, "six requests, six sendings").toBe(6);
    const lost = edge.outcomes.filter(({ kind }) => kind === "lost").length;
    expect(lost).toBeGreaterThan(0);
    expect(edge.outcomes.filter(({ kind }) => kind === "answered").length).toBe(6 - lost);
    raw.socket.destroy();
  });
});

describe("a client", () => {
  test("that goes away while it waits: the service's connection is closed", async () => {
    const service = await openRaw(() => undefined);
    const edge = await openForwarding(service.port);
    const raw = (await Raw.open(edge.port)).send(GET);
    await until(() => service.received[0]?.endsWith("\r\n\r\n") === true);
    raw.socket.destroy();
    await until(() => edge.outcomes.length === 1 && service.connections[0]?.closed === true);
    expect(edge.outcomes).toEqual([{ kind: "client_gone", stage: "waiting", sent: true }]);
    expect(edge.service.inFlight).toBe(0);
  });

  test("that goes away amid the answer: the service's connection is closed", async () => {
    const service = await openAnswering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    const edge = await openForwarding(service.port);
    const raw = (await Raw.open(edge.port)).send(GET);
    await raw.until(/half$/);
    raw.socket.destroy();
    await until(() => edge.outcomes.length === 1 && service.connections[0]?.closed === true);
    expect(edge.outcomes).toMatchObject([{ kind: "client_gone", stage: "answering" }]);
  });

  test("that goes away amid its body: the service does not take what came for the whole", async () => {
    const bodies: string[] = [];
    const port = await openHttp((req, res) => {
      req.on("end", () => bodies.push("whole")).on("error", () => bodies.push("broken"));
      req.resume();
      res.on("error", () => undefined);
    });
    for (const framing of ["Content-Length: 50", "Transfer-Encoding: chunked"]) {
      const edge = await openForwarding(port);
      const raw = (await Raw.open(edge.port)).send(
        `POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n3\r\nabc\r\n`,
      );
      await until(() => edge.service.inFlight === 1);
      await new Promise((resolve) => setTimeout(resolve, 30));
      raw.socket.resetAndDestroy();
      await until(() => edge.outcomes.length === 1);
      expect(edge.outcomes).toMatchObject([{ kind: "client_gone", sent: true }]);
    }
    await until(() => bodies.length === 2);
    expect(bodies).toEqual(["broken", "broken"]);
  });

  test("that goes away while the service is not yet reached: nothing is sent", async () => {
    const edge = await openForwarding(await openDeaf(), { limits: { connect_ms: 300 } });
    const raw = (await Raw.open(edge.port)).send(GET);
    await until(() => edge.service.inFlight === 1);
    raw.socket.destroy();
    await until(() => edge.outcomes.length === 1);
    expect(edge.outcomes).toEqual([{ kind: "client_gone", stage: "connecting", sent: false }]);
    await until(() => edge.service.inFlight === 0);
  });

  test("that does not send its body in time is told so, not the service blamed", async () => {
    const port = await openHttp((req, res) => void req.on("end", () => res.end("fine")).resume());
    const edge = await openForwarding(port, { timeout_ms: 100 });
    const answer = await refusal(edge.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    expectProblem(answer, 408, "request_too_slow");
    expect(edge.outcomes).toMatchObject([{ kind: "timed_out", stage: "waiting" }]);
  });

  test("that breaks its chunks midway is refused, and the service does not take them for whole", async () => {
    const bodies: string[] = [];
    const port = await openHttp((req) => {
      req.on("end", () => bodies.push("whole")).on("error", () => bodies.push("broken"));
      req.resume();
    });
    const edge = await openForwarding(port);
    const answer = await (await Raw.open(edge.port))
      .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
      .closed();
    expectProblem(answer, 400, "request_malformed");
    await until(() => edge.outcomes.length === 1);
    expect(edge.outcomes).toMatchObject([{ kind: "client_gone" }]);
    expect(bodies).not.toContain("whole");
  });
});

test("closing a service breaks off what is under way, and refuses what comes", async () => {
  const service = await openRaw(() => undefined);
  const edge = await openForwarding(service.port);
  const first = refusal(edge.port, GET);
  await until(() => service.received[0]?.endsWith("\r\n\r\n") === true);
  await edge.service.close();
  expectProblem(await first, 502, "service_lost");
  expectProblem(await refusal(edge.port, GET), 502, "service_unreachable");
  expect(edge.outcomes).toMatchObject([{ kind: "lost" }, { kind: "not_connected" }]);
  expect(edge.service.inFlight).toBe(0);
});
