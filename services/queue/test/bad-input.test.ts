// Each case sends what no well-behaved client sends, over a real connection, and then proves that the listener lives.

import { connect as connectSocket } from "node:net";
import { gzipSync } from "node:zlib";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { IssueRequestSchema } from "@usher/protocol/queue";
import { describe, expect, it, vi } from "vitest";
import { LIMITS } from "../src/index.ts";
import { startListening } from "./support/listening.ts";
import { answerOf, frame, ISSUE, RawConnection, WATCH } from "./support/raw.ts";

const REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const GZIP = { "grpc-encoding": "gzip" };

function issueRequest(fields: MessageInitShape<typeof IssueRequestSchema>): Uint8Array {
  return toBinary(IssueRequestSchema, create(IssueRequestSchema, fields));
}

/** Field 1, a string, of these bytes. */
function queueOf(bytes: number[]): Uint8Array {
  return Uint8Array.from([0x0a, bytes.length, ...bytes]);
}

describe("a message", () => {
  it("as large as is taken is taken, and one byte more is refused", async () => {
    const { url, line, issueAfresh } = await startListening();
    const overhead = issueRequest({ subject: "x".repeat(60_000) }).byteLength - 60_000;
    const largest = issueRequest({ subject: "x".repeat(LIMITS.message_bytes - overhead) });
    expect(largest.byteLength).toBe(LIMITS.message_bytes);
    const taken = await new RawConnection(url).call(ISSUE, frame(largest));
    expect(taken.grpc).toBe(status.OK);
    const tooLarge = issueRequest({ subject: "x".repeat(LIMITS.message_bytes - overhead + 1) });
    const refused = await new RawConnection(url).call(ISSUE, frame(tooLarge));
    expect(refused.grpc).toBe(status.RESOURCE_EXHAUSTED);
    expect(line.issued).toBe(1);
    await issueAfresh();
  });

  it("that declares 4 GiB is refused before any of it has come", async () => {
    const { url, issueAfresh } = await startListening();
    const before = process.memoryUsage().arrayBuffers;
    const stream = new RawConnection(url).open(ISSUE);
    const answer = answerOf(stream);
    stream.write(frame(new Uint8Array(), { size: 2 ** 32 - 1 }));
    stream.on("end", () => stream.close());
    expect((await answer).grpc).toBe(status.RESOURCE_EXHAUSTED);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 2 ** 20);
    await issueAfresh();
  });

  it("with invalid UTF-8 in a string is refused as INVALID_ARGUMENT", async () => {
    const { url, line, issueAfresh } = await startListening();
    const answer = await new RawConnection(url).call(ISSUE, frame(queueOf([0x61, 0xff, 0xfe])));
    expect(answer.grpc).toBe(status.INVALID_ARGUMENT);
    expect(line.calls).toEqual([]);
    await issueAfresh();
  });

  it("that is no protobuf is refused as INVALID_ARGUMENT", async () => {
    const { url, issueAfresh } = await startListening();
    for (const bytes of [
      [0x0a, 0x7f, 0x61],
      [0xff, 0xff, 0xff],
      [0x07],
      new Array<number>(30_000).fill(0x2b),
    ]) {
      const answer = await new RawConnection(url).call(ISSUE, frame(Uint8Array.from(bytes)));
      expect(answer.grpc).toBe(status.INVALID_ARGUMENT);
    }
    await issueAfresh();
  });

  it("that is missing, or comes twice, is refused", async () => {
    const { url, line, issueAfresh } = await startListening();
    const none = await new RawConnection(url).call(ISSUE, new Uint8Array());
    expect(none.grpc).toBe(status.UNIMPLEMENTED);
    const message = frame(issueRequest({}));
    const two = await new RawConnection(url).call(ISSUE, Buffer.concat([message, message]));
    expect(two.grpc).toBe(status.UNIMPLEMENTED);
    expect(line.issued).toBe(0);
    await issueAfresh();
  });

  it("with fields that this version does not know is answered", async () => {
    const { url } = await startListening();
    const message = Buffer.concat([issueRequest({}), Uint8Array.from([0xfa, 0x7f, 0x01, 0x61])]);
    expect((await new RawConnection(url).call(ISSUE, frame(message))).grpc).toBe(status.OK);
  });
});

describe("compression", () => {
  it("of a request by gzip is understood", async () => {
    const { url, line } = await startListening();
    const packed = frame(gzipSync(issueRequest({ subject: "s".repeat(1_000) })), { compressed: true });
    const answer = await new RawConnection(url).call(ISSUE, packed, GZIP);
    expect(answer.grpc).toBe(status.OK);
    expect(answer.headers["grpc-accept-encoding"]).toBe("identity,gzip");
    expect(line.calls[0]?.request.subject).toHaveLength(1_000);
  });

  it("that inflates beyond the limit is refused", async () => {
    const { url, issueAfresh } = await startListening();
    const bomb = frame(gzipSync(Buffer.alloc(LIMITS.message_bytes + 1)), { compressed: true });
    const answer = await new RawConnection(url).call(ISSUE, bomb, GZIP);
    expect(answer.grpc).toBe(status.RESOURCE_EXHAUSTED);
    await issueAfresh();
  });

  it("bombs by the thousand are refused in little memory", async () => {
    const { url, issueAfresh } = await startListening();
    const bomb = frame(gzipSync(Buffer.alloc(1_000_000)), { compressed: true });
    // Whatever fits one frame of HTTP/2, on as many streams as a connection may have: 18,000 bombs, 18 GB.
    const bombs = Buffer.concat(new Array<Buffer>(Math.floor(16_000 / bomb.length)).fill(bomb));
    const before = process.memoryUsage().rss;
    const connection = new RawConnection(url);
    const answers = await Promise.all(
      Array.from({ length: LIMITS.streams }, () => connection.call(ISSUE, bombs, GZIP)),
    );
    expect(new Set(answers.map(({ grpc }) => grpc))).toEqual(new Set([status.UNIMPLEMENTED]));
    expect(process.memoryUsage().rss - before).toBeLessThan(128 * 2 ** 20);
    await issueAfresh();
  });

  it("that is broken, or of a kind that is not taken, is refused", async () => {
    const { url, issueAfresh } = await startListening();
    const half = gzipSync(issueRequest({})).subarray(0, 15);
    const broken = await new RawConnection(url).call(ISSUE, frame(half, { compressed: true }), GZIP);
    expect(broken.grpc).toBe(status.INVALID_ARGUMENT);
    const deflate = { "grpc-encoding": "deflate" };
    const strange = await new RawConnection(url).call(ISSUE, frame(issueRequest({})), deflate);
    expect(strange.grpc).toBe(status.UNIMPLEMENTED);
    expect(strange.message).toContain("gzip");
    const reflection = await new RawConnection(url).call(REFLECTION, frame(half, { compressed: true }), GZIP);
    expect(reflection.grpc).toBe(status.UNIMPLEMENTED);
    await issueAfresh();
  });
});

describe("a call", () => {
  it("of a method that there is not is UNIMPLEMENTED, and the method is not repeated", async () => {
    const { url, issueAfresh } = await startListening();
    for (const path of [
      "/usher.queue.v1.QueueService/Steal",
      "/",
      "/\u00e9\u00ff",
      "/__proto__",
      `/${"x".repeat(9_000)}`,
    ]) {
      const answer = await new RawConnection(url).call(path, frame(new Uint8Array()));
      expect(answer.grpc).toBe(status.UNIMPLEMENTED);
      expect(decodeURI(answer.message ?? "")).toMatch(/^there is no such method here/);
    }
    await issueAfresh();
  });

  it("of another content type is answered with 415", async () => {
    const { url, issueAfresh } = await startListening();
    for (const type of [
      "application/json",
      "application/grpc-web",
      "application/grpc+json",
      "text/plain",
      "",
    ]) {
      const answer = await new RawConnection(url).call(ISSUE, frame(new Uint8Array()), {
        "content-type": type,
      });
      expect(answer.http).toBe(415);
    }
    await issueAfresh();
  });

  it("by another HTTP method than POST is answered with 405", async () => {
    const { url, issueAfresh } = await startListening();
    const answer = await new RawConnection(url).call(ISSUE, new Uint8Array(), { ":method": "PUT" });
    expect(answer.http).toBe(405);
    await issueAfresh();
  });

  it("with a time-out of a month or a lifetime has no time-out", async () => {
    const { url, line } = await startListening();
    for (const timeout of ["720H", "99999999H"]) {
      const answer = await new RawConnection(url).call(ISSUE, frame(issueRequest({})), {
        "grpc-timeout": timeout,
      });
      expect(answer.grpc).toBe(status.OK);
    }
    expect(line.calls.map(({ context }) => context.timeoutMs())).toEqual([undefined, undefined]);
  });

  it("with a time-out that is none is refused", async () => {
    const { url, issueAfresh } = await startListening();
    for (const timeout of ["soon", "-5S", "5", "999999999S", "1H 5S"]) {
      const answer = await new RawConnection(url).call(ISSUE, frame(issueRequest({})), {
        "grpc-timeout": timeout,
      });
      expect(answer.grpc).toBe(status.INVALID_ARGUMENT);
    }
    await issueAfresh();
  });

  it("with metadata that is not ASCII is refused, and the secret in it is not written to the console", async () => {
    const { url, issueAfresh } = await startListening();
    const written = vi.spyOn(console, "error");
    const metadata = { authorization: "Bearer s\u00e9cret" };
    const answer = await new RawConnection(url).call(ISSUE, frame(issueRequest({})), metadata);
    expect(answer.grpc).toBe(status.INVALID_ARGUMENT);
    expect(written).not.toHaveBeenCalled();
    await issueAfresh();
  });

  it("with more metadata than is taken is refused", async () => {
    const { url, line, issueAfresh } = await startListening();
    const large = { "x-large": "x".repeat(LIMITS.metadata_bytes) };
    const answer = await new RawConnection(url).call(ISSUE, frame(issueRequest({})), large);
    expect(answer.grpc).toBe(status.RESOURCE_EXHAUSTED);
    expect(line.calls).toEqual([]);
    await issueAfresh();
  });

  it("with more metadata than it was told is taken loses its stream", async () => {
    const { url, line, issueAfresh } = await startListening();
    const large = { "x-large": "x".repeat(LIMITS.metadata_bytes) };
    const many = Object.fromEntries(Array.from({ length: LIMITS.metadata_lines }, (_, i) => [`x-${i}`, "1"]));
    for (const metadata of [large, many]) {
      const connection = new RawConnection(url);
      await new Promise((resolve) => connection.session.once("remoteSettings", resolve));
      const answer = await connection.call(ISSUE, frame(issueRequest({})), metadata);
      expect(answer.grpc).toBeUndefined();
      expect(answer.reset).not.toBe(0);
    }
    expect(line.calls).toEqual([]);
    await issueAfresh();
  });

  it("that resets itself midway leaves nothing behind", async () => {
    const { url, line, issueAfresh } = await startListening();
    const stream = new RawConnection(url).open(WATCH);
    stream.write(frame(new Uint8Array(), { size: 10 }));
    const answer = answerOf(stream);
    stream.close(8);
    await answer;
    await issueAfresh();
    expect(line.made).toBe(0);
  });
});

describe("a connection", () => {
  it("that speaks HTTP/1.1 or noise is closed", async () => {
    const { listener, issueAfresh } = await startListening();
    for (const noise of [
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "\u0016\u0003\u0001hello",
      "x".repeat(100_000),
    ]) {
      await new Promise((resolve) => {
        const socket = connectSocket(listener.port, "127.0.0.1", () => socket.write(noise));
        socket
          .on("error", () => {})
          .on("close", resolve)
          .resume();
      });
    }
    await issueAfresh();
  });
});
