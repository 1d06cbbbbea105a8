// Clients that take without giving: slow ones, silent ones, floods.

import { connect as connectSocket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { IssueRequestSchema } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../src/index.ts";
import { endlessPlaces, quietPlaces } from "./support/line.ts";
import { startListening, until } from "./support/listening.ts";
import { answerOf, frame, ISSUE, RawConnection, WATCH } from "./support/raw.ts";

const REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const SYMBOL = Buffer.from("usher.queue.v1.QueueService");
/** file_containing_symbol */
const QUESTION = frame(Buffer.concat([Uint8Array.from([0x22, SYMBOL.length]), SYMBOL]));
/** list_services */
const NAMES = frame(Uint8Array.from([0x3a, 1, 0x2a]));
const EMPTY = frame(new Uint8Array());
const request = frame(toBinary(IssueRequestSchema, create(IssueRequestSchema, { queue: "orders" })));

/** Opens a stream and reads nothing of it. */
function watchWithoutReading(connection: RawConnection): Promise<unknown> {
  const stream = connection.open(WATCH);
  stream.end(EMPTY);
  return new Promise((resolve) => stream.on("close", () => resolve(stream.rstCode)));
}

describe("a client that stops reading", () => {
  it("makes its stream stop, not the memory grow", async () => {
    const { url, line, issueAfresh } = await startListening();
    line.places = endlessPlaces;
    const connection = new RawConnection(url);
    void watchWithoutReading(connection);
    await until(() => line.made > 0);
    const others = new RawConnection(url);
    for (let i = 0; i < 200; i++) {
      await others.call(ISSUE, request);
    }
    // 64 KiB of HTTP/2's window is four of these answers, and one waits.
    expect(line.made).toBeLessThan(10);
    await issueAfresh();
  });

  it("loses its stream after a while, and its implementation ends", async () => {
    const { url, line, errors, issueAfresh } = await startListening({ stall_ms: 100 });
    line.places = endlessPlaces;
    await watchWithoutReading(new RawConnection(url));
    await until(() => line.ended === 1);
    expect(errors).toEqual([]);
    await issueAfresh();
  });

  it("of a reflection stream is heard no more until it reads", async () => {
    const { url, issueAfresh } = await startListening();
    const stream = new RawConnection(url).open(REFLECTION);
    let asked = false;
    // More questions than the windows of HTTP/2 hold, each 34 bytes to ask and 20 KB to answer.
    stream.write(Buffer.concat(new Array<Buffer>(6_000).fill(QUESTION)), () => {
      asked = true;
    });
    const others = new RawConnection(url);
    for (let i = 0; i < 500; i++) {
      await others.call(ISSUE, request);
    }
    expect(asked).toBe(false);
    stream.resume();
    await until(() => asked);
    await issueAfresh();
  });
});

it("a call that is ended here while its own end is under way is answered once", async () => {
  const { listener, url } = await startListening();
  // The answer's beginning does not get through, so that both ends wait behind it.
  const connection = new RawConnection(url, { initialWindowSize: 10 });
  const stream = connection.open(REFLECTION);
  const answer = answerOf(stream);
  const begun = new Promise((resolve) => stream.once("response", resolve));
  stream.write(NAMES);
  await begun;
  const closed = listener.close({ grace_ms: 10_000 });
  stream.end();
  // By then the listener has seen that no more questions come.
  await new Promise((resolve) => connection.session.ping(resolve));
  await new Promise((resolve) => connection.session.ping(resolve));
  stream.resume();
  expect((await answer).grpc).toBe(status.UNAVAILABLE);
  connection.session.destroy();
  await closed;
});

describe("a client that is slow", () => {
  it("to begin with HTTP/2 loses its connection", async () => {
    const { listener, issueAfresh } = await startListening({ handshake_ms: 100 });
    await new Promise((resolve) => {
      const socket = connectSocket(listener.port, "127.0.0.1", () => socket.write("PRI"));
      socket
        .on("error", () => {})
        .on("close", resolve)
        .resume();
    });
    await issueAfresh();
  });

  it("with its request is told DEADLINE_EXCEEDED and loses the stream", async () => {
    const { url, line, issueAfresh } = await startListening({ request_ms: 200 });
    const connection = new RawConnection(url);
    const stream = connection.open(ISSUE);
    const answer = answerOf(stream);
    stream.write(frame(new Uint8Array(), { size: 60_000 }));
    // A byte now and then does not help.
    const drip = setInterval(() => stream.write(Uint8Array.of(0)), 20);
    expect((await answer).grpc).toBe(status.DEADLINE_EXCEEDED);
    clearInterval(drip);
    expect(line.calls).toEqual([]);
    await issueAfresh();
  });

  it("to hang up after a refusal loses the stream", async () => {
    const { url, issueAfresh } = await startListening({ request_ms: 200 });
    const stream = new RawConnection(url).open("/no.such/Method");
    const answer = answerOf(stream);
    const drip = setInterval(() => stream.write(Uint8Array.of(0)), 20);
    expect((await answer).grpc).toBe(status.UNIMPLEMENTED);
    clearInterval(drip);
    await issueAfresh();
  });

  it("with a long stream is left alone", async () => {
    const { url, line } = await startListening({ request_ms: 100, call_ms: 100 });
    line.places = quietPlaces;
    const connection = new RawConnection(url);
    const stream = connection.open(WATCH);
    let closed = false;
    stream.on("close", () => {
      closed = true;
    });
    stream.resume().end(EMPTY);
    await until(() => line.made === 1);
    // Slow calls of the same age end meanwhile.
    const slow = connection.open(ISSUE);
    await answerOf(slow);
    expect(closed).toBe(false);
    expect(line.ended).toBe(0);
  });
});

describe("an implementation that never answers", () => {
  it("does not hold its caller for ever", async () => {
    const { url, line, issueAfresh } = await startListening({ call_ms: 200 });
    let aborted = false;
    line.beforeIssue = (_request, { signal }) =>
      new Promise(() => {
        signal.addEventListener("abort", () => {
          aborted = true;
        });
      });
    const answer = await new RawConnection(url).call(ISSUE, request);
    expect(answer.grpc).toBe(status.DEADLINE_EXCEEDED);
    await until(() => aborted);
    line.beforeIssue = () => {};
    await issueAfresh();
  });
});

describe("a flood", () => {
  it("of streams beyond the limit waits at the client, and all are answered", async () => {
    const { url, line } = await startListening();
    let most = 0;
    let now = 0;
    line.beforeIssue = async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setTimeout(resolve, 1));
      now -= 1;
    };
    const connection = new RawConnection(url);
    await new Promise((resolve) => connection.session.once("remoteSettings", resolve));
    const answers = await Promise.all(Array.from({ length: 10_000 }, () => connection.call(ISSUE, request)));
    const failed = answers.filter(({ grpc }) => grpc !== status.OK);
    expect(failed).toEqual([]);
    expect(most).toBeLessThanOrEqual(LIMITS.streams);
  });

  it("of calls that are reset at once costs the client its connection", async () => {
    const { url, issueAfresh } = await startListening();
    const connection = new RawConnection(url);
    let closed = false;
    connection.session.on("close", () => {
      closed = true;
    });
    for (let i = 0; i < 20_000 && !closed; i++) {
      const stream = connection.open(ISSUE);
      stream.close(8);
      if (i % 100 === 0) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await until(() => closed);
    await issueAfresh();
  });

  it("of pings costs the client its connection", async () => {
    const { url, issueAfresh } = await startListening({ control_burst: 20, control_rate: 1 });
    const connection = new RawConnection(url);
    let code = -1;
    let reason = "";
    connection.session.on("goaway", (errorCode, _last, data) => {
      code = errorCode;
      reason = Buffer.from(data ?? []).toString();
    });
    const closed = new Promise((resolve) => connection.session.on("close", resolve));
    const flooding = setInterval(() => !connection.session.destroyed && connection.session.ping(() => {}), 1);
    await closed;
    clearInterval(flooding);
    expect(code).toBe(11);
    expect(reason).toBe("too_many_pings");
    await issueAfresh();
  });

  it("of settings costs the client its connection", async () => {
    const { url, issueAfresh } = await startListening({ control_burst: 20, control_rate: 1 });
    const connection = new RawConnection(url);
    const closed = new Promise((resolve) => connection.session.on("close", resolve));
    const flooding = setInterval(
      () => !connection.session.destroyed && connection.session.settings({ initialWindowSize: 65_535 }),
      1,
    );
    await closed;
    clearInterval(flooding);
    await issueAfresh();
  });

  it("of connections stops at the limit, and goes on when one leaves", async () => {
    const { listener, url, issueAfresh } = await startListening({ connections: 3 });
    const held = [1, 2, 3].map(() => new RawConnection(url));
    for (const connection of held) {
      expect((await connection.call(ISSUE, request)).grpc).toBe(status.OK);
    }
    await new Promise((resolve) => {
      const socket = connectSocket(listener.port, "127.0.0.1");
      socket
        .on("error", () => {})
        .on("close", resolve)
        .resume();
    });
    await new Promise((resolve) => held[0]?.session.close(() => resolve(undefined)));
    held[1]?.session.destroy();
    await issueAfresh();
  });
});

describe("a connection without calls", () => {
  it("is closed after a while", async () => {
    const { url, issueAfresh } = await startListening({ idle_ms: 100 });
    const connection = new RawConnection(url);
    await new Promise((resolve) => connection.session.on("close", resolve));
    await issueAfresh();
  });

  it("that is half dead is found by a ping, and its streams end", async () => {
    const { listener, line, issueAfresh } = await startListening({
      keepalive_ms: 100,
      keepalive_timeout_ms: 100,
    });
    line.places = quietPlaces;
    // HTTP/2 by hand, so that nobody answers the ping: preface, settings, headers of WatchPosition, an empty message.
    const socket = connectSocket(listener.port, "127.0.0.1");
    socket.on("error", () => {});
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(http2Frame(0x4, 0, 0, new Uint8Array()));
    socket.write(http2Frame(0x1, 0x4, 1, watchHeaders()));
    socket.write(http2Frame(0x0, 0x1, 1, EMPTY));
    socket.resume();
    await until(() => line.made === 1);
    await closed;
    await until(() => line.ended === 1);
    await issueAfresh();
  });
});

function http2Frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK without compression: each a literal with a new name. */
function watchHeaders(): Buffer {
  const headers = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", WATCH],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ];
  const text = (value: string) => Buffer.concat([Uint8Array.of(value.length), Buffer.from(value)]);
  return Buffer.concat(
    headers.flatMap(([name = "", value = ""]) => [Uint8Array.of(0), text(name), text(value)]),
  );
}
