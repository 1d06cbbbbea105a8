// Requests that no client of a library would send, byte by byte, in each protocol; and after each a fresh ticket.

import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { GetTicketRequestSchema, IssueRequestSchema } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import { errorOf, type Stage } from "../support/stage.ts";
import { envelope, type WireAnswer, type WireRequest } from "../support/wire.ts";

const ISSUE = "/usher.queue.v1.QueueService/Issue";
const WATCH = "/usher.queue.v1.QueueService/WatchPosition";

const FOUR_GIB = 2 ** 32 - 1;

export function byteCases(stage: () => Stage): void {
  const send = (path: string, body: Uint8Array, options: Partial<WireRequest> = {}) => {
    const { target, usher } = stage();
    const { contentType } = target.wire;
    return target.wire.send(target.url(usher), { path, contentType, body, apiKey: usher.apiKey, ...options });
  };
  /** A message as it stands in a request. */
  const body = (message: Uint8Array) => (stage().target.wire.enveloped ? envelope(message) : message);

  describe("a message", () => {
    it("that is well-formed is answered, sent by hand as it is", async () => {
      const request = create(IssueRequestSchema, { queue: stage().queue("one") });
      const message = stage().target.wire.json
        ? Buffer.from(toJsonString(IssueRequestSchema, request))
        : toBinary(IssueRequestSchema, request);
      expect(await send(ISSUE, body(message))).toEqual({ http: 200, code: undefined });
    });

    it("of more than 64 KiB is refused", async () => {
      const queue = stage().queue("one");
      const error = await errorOf(
        stage()
          .stranger()
          .issue({ queue, attributes: { large: "x".repeat(70_000) } }),
      );
      expect(Code[error.code]).toBe("ResourceExhausted");
      expect((await stage().visitor.getQueue({ queue })).queue?.lastNumber).toBe(0);
      await stage().takesAFreshTicket();
    });

    it("that declares 4 GiB is refused, to one call and to eight at once", async () => {
      const { enveloped } = stage().target.wire;
      const message = Buffer.from("{");
      const one = () =>
        enveloped
          ? send(ISSUE, envelope(message, FOUR_GIB), { open: true })
          : send(ISSUE, message, { announced: FOUR_GIB, open: true });
      for (const answer of [await one(), ...(await Promise.all(Array.from({ length: 8 }, one)))]) {
        expectRefused(answer, [Code.ResourceExhausted]);
      }
      await stage().takesAFreshTicket();
    });

    it("of a stream that declares 4 GiB is refused", async () => {
      const { contentType, enveloped } = stage().target.wire;
      const streaming = enveloped ? contentType : contentType.replace("/", "/connect+");
      const request = toBinary(GetTicketRequestSchema, create(GetTicketRequestSchema, { token: "t" }));
      const answer = await send(WATCH, envelope(request, FOUR_GIB), { open: true, contentType: streaming });
      expect(answer.code === undefined || answer.code === Code.ResourceExhausted).toBe(true);
      await stage().takesAFreshTicket();
    });

    it("with invalid UTF-8 in a string is refused", async () => {
      const text = [0x61, 0xff, 0xfe, 0x62];
      const message = stage().target.wire.json
        ? Buffer.concat([Buffer.from('{"queue":"'), Buffer.from(text), Buffer.from('"}')])
        : Uint8Array.from([0x0a, text.length, ...text]);
      expectRefused(await send(ISSUE, body(message)), [Code.InvalidArgument, Code.Internal]);
      await stage().takesAFreshTicket();
    });

    it("that is noise, or nested a thousand deep, is refused", async () => {
      const noise = stage().target.wire.json
        ? ["{", '{"queue":1}', "[]", `${'{"attributes":'.repeat(1_000)}1${"}".repeat(1_000)}`, "\u0000"]
        : ["\u000a\u007fa", "\u0007", "\u002b".repeat(1_000), "\u00ff\u00ff\u00ff\u00ff"];
      for (const text of noise) {
        const answer = await send(ISSUE, body(Buffer.from(text, "latin1")));
        expectRefused(answer, [Code.InvalidArgument, Code.Internal]);
      }
      await stage().takesAFreshTicket();
    });

    it("of another content type is answered with 415", async () => {
      for (const contentType of ["text/plain", "application/xml", "multipart/form-data"]) {
        expect((await send(ISSUE, body(Buffer.from("{}")), { contentType })).http).toBe(415);
      }
      await stage().takesAFreshTicket();
    });
  });

  describe("a method that there is not", () => {
    it("is refused", async () => {
      const answer = await send("/usher.queue.v1.QueueService/Steal", body(Buffer.from("{}")));
      expect(answer.http === 404 || answer.code === Code.Unimplemented).toBe(true);
      await stage().takesAFreshTicket();
    });
  });
}

/** Refused by HTTP or by the protocol, and not answered. */
function expectRefused({ http, code }: WireAnswer, codes: readonly Code[]): void {
  if (code !== undefined) {
    expect(codes.map((each) => Code[each])).toContain(Code[code]);
  } else {
    expect(http).toBeGreaterThanOrEqual(400);
  }
}
