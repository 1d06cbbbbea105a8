// Watches, queues and refusals of a server of another time than the client's, over gRPC and over Connect; and what a newer
// client says to the real program, which does not know it yet.

import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import {
  GetQueueResponseSchema,
  GetTicketResponseSchema,
  IssueRequestSchema,
  IssueResponseSchema,
  WatchAdmissionsResponseSchema,
  WatchPositionResponseSchema,
} from "@usher/protocol/queue";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { createGuard } from "../src/guard.ts";
import { type ClientOptions, createClient, type QueueClient, type Status } from "../src/index.ts";
import { createClient as createWebClient } from "../src/web.ts";
import { onFetch } from "./support/guarded.ts";
import { openConnectServer, openGrpcServer, type Script, word } from "./support/other-time.ts";
import { Signer } from "./support/signer.ts";

const TICKET = { id: "concert:1:5", queue: "concert", number: 5 };
const HURRY = { attempts: 1, timings: { reconnect: 1, pace: 1 } };

const waiting = { ticket: { ...TICKET, state: 1, position: 4 }, asOf: 8n };
const drawn = { ticket: { ...TICKET, state: 77, requestState: 78, position: 3 }, asOf: 9n };
const admitted = { ticket: { ...TICKET, state: 2, position: 0 }, asOf: 10n };

const inJson = {
  waiting: { ticket: { ...TICKET, state: "TICKET_STATE_WAITING", position: 4 }, asOf: "8" },
  drawn: {
    ticket: { ...TICKET, state: "TICKET_STATE_DRAWN", requestState: 78, position: 3, mood: "good" },
    ...{ asOf: "9", colour: { of: "the sky" } },
  },
  admitted: { ticket: { ...TICKET, state: "TICKET_STATE_ADMITTED", position: 0 }, asOf: "10" },
};

const ISSUE = [
  word(IssueResponseSchema, { token: "t", status: waiting }, { token: "t", status: inJson.waiting, more: 1 }),
];

/** A stream of a newer server: a state that nobody knows, a message of a kind that nobody knows, and the turn. */
const WATCH = [
  word(WatchPositionResponseSchema, { status: drawn }, { status: inJson.drawn }),
  word(WatchPositionResponseSchema, {}, { weather: { of: "tomorrow" } }),
  word(WatchPositionResponseSchema, { status: admitted }, { status: inJson.admitted }),
];

describe.each([
  [
    "over gRPC",
    async (script: Script, options: Partial<ClientOptions> = HURRY): Promise<QueueClient> =>
      createClient({ ...options, baseUrl: await openGrpcServer(script) }),
  ],
  [
    "over Connect",
    async (script: Script, options: Partial<ClientOptions> = HURRY): Promise<QueueClient> =>
      createWebClient({ ...options, baseUrl: await openConnectServer(script) }),
  ],
])("%s", (_, open) => {
  it("a watch passes over what it does not know of a newer server, and goes on to the turn", async () => {
    using client = await open({ Issue: ISSUE, WatchPosition: WATCH });
    const ticket = await client.issue("concert");
    const seen: Status[] = [];
    const faults: unknown[] = [];
    for await (const status of ticket.watch({ onRetry: (fault) => faults.push(fault) })) {
      seen.push(status);
      if (status.state === "admitted") break;
    }
    expect(seen).toMatchObject([
      { state: "waiting", position: 4 },
      { state: "other", requestState: "other", position: 3 },
      { state: "admitted", position: 0 },
    ]);
    expect(faults).toEqual([]);
  });

  it("where an older server has no streams, a watch asks instead, at once", async () => {
    const answer = word(GetTicketResponseSchema, { status: admitted }, { status: inJson.admitted });
    using client = await open({ Issue: ISSUE, GetTicket: [answer] });
    const ticket = await client.issue("concert");
    const faults: string[] = [];
    const seen: string[] = [];
    for await (const { state } of ticket.watch({ onRetry: ({ code }) => faults.push(code) })) {
      seen.push(state);
      if (state === "admitted") break;
    }
    expect(seen).toEqual(["waiting", "admitted"]);
    expect(faults).toEqual(["not_implemented"]);
  });

  it("a queue of a kind and a mode that are newer is told as other", async () => {
    const queue = { name: "concert", kind: 9, mode: 19, waiting: 3, nowServing: 2, lastNumber: 5 };
    const json = { ...queue, kind: "QUEUE_KIND_LOTTERY", mode: "QUEUE_MODE_DRAWING", draws: [1] };
    using client = await open({ GetQueue: [word(GetQueueResponseSchema, { queue }, { queue: json })] });
    expect(await client.queue("concert")).toEqual({ ...queue, kind: "other", mode: "other" });
  });

  it.each([
    [{ code: "NOT_FOUND", reason: "TICKET_REVOKED" }, "unexpected_answer", false],
    [{ code: "FAILED_PRECONDITION", reason: "GONE_FISHING" }, "unexpected_answer", false],
    [{ code: "INTERNAL", reason: "GONE_FISHING" }, "unexpected_answer", false],
    [{ code: "ABORTED", reason: "GONE_FISHING" }, "unexpected_answer", true],
    [{ code: "FAILED_PRECONDITION", reason: "GONE_FISHING", retry_s: 2 }, "unexpected_answer", true],
    [{ code: "RESOURCE_EXHAUSTED", reason: "TOO_MANY_DRAWS" }, "overloaded", true],
    [{ code: "NOT_FOUND" }, "unexpected_answer", false],
  ] as const)(
    "a refusal of a newer server, %o, says whether to try again",
    async (refusal, code, retryable) => {
      const script = { Issue: refusal };
      using client = await open(script);
      const error: unknown = await client.issue("concert").catch((thrown: unknown) => thrown);
      const retryAfter = "retry_s" in refusal ? refusal.retry_s * 1_000 : undefined;
      expect(error).toMatchObject({ code, retryable, retryAfter, message: expect.stringContaining("later") });
      if ("reason" in refusal)
        expect(error).toMatchObject({ message: expect.stringContaining(refusal.reason) });
    },
  );

  it("a watch ends with a refusal that is newer and stays, instead of going on for ever", async () => {
    const gone = { code: "NOT_FOUND", reason: "TICKET_REVOKED" } as const;
    using client = await open({ Issue: ISSUE, WatchPosition: gone, GetTicket: gone });
    const ticket = await client.issue("concert");
    const error: unknown = await ticket.admitted().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: expect.stringContaining("TICKET_REVOKED") });
  });
});

it("admissions of a newer server are given out, with what is known of them, and other messages passed over", async () => {
  const WatchAdmissions = [
    word(WatchAdmissionsResponseSchema, { cursor: 6n }, {}),
    word(WatchAdmissionsResponseSchema, { cursor: 7n, ticket: drawn.ticket, subject: "ann" }, {}),
  ];
  using client = createClient({ ...HURRY, baseUrl: await openGrpcServer({ WatchAdmissions }) });
  for await (const { ticket, subject, cursor } of client.admissions("concert")) {
    expect({ ticket, subject, cursor }).toMatchObject({
      ...{ subject: "ann", cursor: "7" },
      ticket: { number: 5, state: "other" },
    });
    break;
  }
});

it("a guard lets in by a pass of a newer gateway, with claims that it does not know", async () => {
  const signer = await Signer.make("first");
  const guard = createGuard({ jwks: { keys: [signer.jwk] }, queue: "concert", audience: "shop" });
  await using guarded = await onFetch(guard);
  const pass = await signer.pass({ mood: "good", seats: { of: ["A1"] } }, { hue: 9 });
  const { status, headers } = await fetch(guarded.url, { headers: { "usher-pass": pass } });
  expect([status, headers.get("x-ticket")]).toEqual([200, "concert:93ed43aa76cb7a52:57"]);
});

describe("the real program, asked by a newer client,", () => {
  let usher: Usher;

  beforeAll(async () => {
    const queue = "{ kind: pass, limit: { rate_per_second: 1 }, max_wait: 1h, mode: paused }";
    usher = await startUsher({ config: `queues: { concert: ${queue} }` });
  });

  afterAll(() => usher?.stop());

  it("passes over fields that it does not know, in Connect's JSON", async () => {
    const ask = async (method: string, request: object) => {
      const response = await fetch(`${usher.gatewayUrl}/usher.queue.v1.QueueService/${method}`, {
        method: "POST",
        headers: { "content-type": "application/json", "connect-protocol-version": "1" },
        body: JSON.stringify({ ...request, mood: "good", more: { of: ["it"] } }),
      });
      const answer: unknown = await response.json();
      return [response.status, answer as { readonly token?: string }] as const;
    };
    const [status, issued] = await ask("Issue", {
      queue: "concert",
      idempotencyKey: crypto.randomUUID(),
      wish: "a window",
    });
    expect([status, issued]).toMatchObject([200, { status: { ticket: { queue: "concert" } } }]);
    for (const method of ["GetTicket", "Leave"])
      expect(await ask(method, { token: issued.token })).toMatchObject([200, { status: {} }]);
    expect(await ask("GetQueue", { queue: "concert" })).toMatchObject([200, { queue: { name: "concert" } }]);
  });

  it("passes over fields that it does not know, in gRPC's binary", async () => {
    const known = toBinary(IssueRequestSchema, create(IssueRequestSchema, { queue: "concert" }));
    const more = word(IssueRequestSchema, { queue: "concert", idempotencyKey: crypto.randomUUID() }, {});
    expect(more.binary.length).toBeGreaterThan(known.length);
    for (const address of [usher.nativeAddress, new URL(usher.gatewayUrl).host]) {
      const client = new Client(address, credentials.createInsecure());
      const metadata = new Metadata();
      metadata.set("usher-api-key", usher.apiKey);
      const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
        client.makeUnaryRequest(
          "/usher.queue.v1.QueueService/Issue",
          (bytes: Uint8Array) => Buffer.from(bytes),
          (bytes: Buffer) => bytes,
          more.binary,
          metadata,
          (error, bytes) => (error ? reject(error) : resolve(bytes)),
        );
      }).finally(() => client.close());
      expect(answer?.length).toBeGreaterThan(20);
    }
  });
});
