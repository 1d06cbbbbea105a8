// A client and a server of different times: what a newer server says that this client does not know, and what an older
// one leaves out. Watches, queues and refusals: versions-watch.test.ts.

import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { IssueResponseSchema } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import { createClient, hasEnded, type QueueClient, UsherError } from "../src/index.ts";
import { createClient as createWebClient } from "../src/web.ts";
import { openConnectServer, openGrpcServer, type Word, word } from "./support/other-time.ts";

const TICKET = { id: "concert:1:5", queue: "concert", number: 5 };
const ISSUED = { token: "a-token", status: { ticket: TICKET } };

async function openGrpc(issued: Word): Promise<QueueClient> {
  return createClient({ baseUrl: await openGrpcServer({ Issue: [issued] }), attempts: 1 });
}

async function openConnect(issued: Word): Promise<QueueClient> {
  return createWebClient({ baseUrl: await openConnectServer({ Issue: [issued] }), attempts: 1 });
}

const drawn = { ...TICKET, state: 77, requestState: 78, position: 4 };

const NEWER = word(
  IssueResponseSchema,
  { token: "a-token", status: { ticket: drawn, asOf: 9n } },
  {
    token: "a-token",
    status: {
      ticket: {
        ...{ ...TICKET, state: "TICKET_STATE_DRAWN", requestState: "REQUEST_STATE_TASTED" },
        ...{ position: 4, mood: "good" },
      },
      asOf: "9",
      colour: { of: "the sky" },
    },
    more: [1],
  },
);

const OLDER: Word = {
  binary: toBinary(IssueResponseSchema, create(IssueResponseSchema, ISSUED)),
  json: toJson(IssueResponseSchema, create(IssueResponseSchema, ISSUED)),
};

const EMPTY: Word = { binary: new Uint8Array(), json: {} };

describe.each([
  ["gRPC", openGrpc],
  ["Connect", openConnect],
])("over %s", (_, open) => {
  it("states and fields of a newer server are passed over, and are no end", async () => {
    using client = await open(NEWER);
    const { status } = await client.issue("concert");
    expect(status).toMatchObject({
      number: 5,
      state: "other",
      requestState: "other",
      position: 4,
      asOf: "9",
    });
    expect(hasEnded(status)).toBe(false);
  });

  it("what an older server leaves out is absent", async () => {
    using client = await open(OLDER);
    const { status } = await client.issue("concert");
    expect(status).toEqual({
      id: "concert:1:5",
      queue: "concert",
      number: 5,
      state: "other",
      stale: false,
      asOf: "0",
    });
  });

  it("an answer without a ticket is none of Usher's", async () => {
    using client = await open(EMPTY);
    const error = await client.issue("concert").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsherError);
    expect(error).toMatchObject({
      code: "unexpected_answer",
      message: expect.stringContaining("is there an Usher"),
    });
  });
});

it.each([
  [
    "a reason that this client does not know",
    { code: "aborted", message: "later", details: [infoOf("GONE_FISHING")] },
    true,
  ],
  ["no reason", { code: "resource_exhausted", message: "later" }, true],
  [
    "details that nobody can read",
    { code: "not_found", details: [{ type: "google.rpc.ErrorInfo", value: "%%%" }] },
    false,
  ],
])("an error with %s still says whether to try again", async (_, error, retryable) => {
  using client = createWebClient({
    attempts: 1,
    baseUrl: "http://usher.test",
    fetch: async () => Response.json(error, { status: 409 }),
  });
  expect(await client.issue("concert").catch((thrown: unknown) => thrown)).toMatchObject({ retryable });
});

/** An ErrorInfo, as the protocol has it. */
function infoOf(reason: string): { type: string; value: string } {
  const bytes = Buffer.concat([Buffer.from([0x0a, reason.length]), Buffer.from(reason)]);
  return { type: "google.rpc.ErrorInfo", value: bytes.toString("base64") };
}
