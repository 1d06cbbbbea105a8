// A client and a server of different times: what a newer server says that this client does not know, and what an older
// one leaves out. There is no such server to be had, so its words are written here, as they come over the wire.

import { create, toBinary, toJson } from "@bufbuild/protobuf";
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { GetTicketResponseSchema, IssueResponseSchema } from "@usher/protocol/queue";
import { describe, expect, it, onTestFinished } from "vitest";
import { createClient, hasEnded, type QueueClient, UsherError } from "../src/index.ts";
import { createClient as createWebClient } from "../src/web.ts";

const ISSUED = { token: "a-token", status: { ticket: { id: "concert:1:5", queue: "concert", number: 5 } } };

/** What a server of another time says to Issue and to GetTicket. */
interface Words {
  /** Enums by number, and what this build has no field for. */
  readonly binary: (method: "issue" | "getTicket") => Uint8Array;
  readonly json: (method: "issue" | "getTicket") => unknown;
}

async function openGrpc(words: Words): Promise<QueueClient> {
  const server = new Server();
  const method = (name: string) => ({
    path: `/usher.queue.v1.QueueService/${name}`,
    requestStream: false,
    responseStream: false,
    requestDeserialize: (bytes: Buffer) => bytes,
    requestSerialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
    responseDeserialize: (bytes: Buffer) => bytes,
  });
  const service: ServiceDefinition = { issue: method("Issue"), getTicket: method("GetTicket") };
  const implementation: UntypedServiceImplementation = {
    issue: (_: unknown, answer: (error: null, bytes: Uint8Array) => void) =>
      answer(null, words.binary("issue")),
    getTicket: (_: unknown, answer: (error: null, bytes: Uint8Array) => void) =>
      answer(null, words.binary("getTicket")),
  };
  server.addService(service, implementation);
  const port = await new Promise<number>((bound, failed) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? failed(error) : bound(port),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return createClient({ baseUrl: `http://127.0.0.1:${port}`, attempts: 1 });
}

async function openConnect(words: Words): Promise<QueueClient> {
  return createWebClient({
    attempts: 1,
    baseUrl: "http://usher.test",
    fetch: async (input) => Response.json(words.json(`${input}`.endsWith("/Issue") ? "issue" : "getTicket")),
  });
}

/** A message with a field of a number that nobody has. */
function withMore(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, Buffer.from([0xf2, 0x3f, 3, 1, 2, 3])]);
}

const NEWER: Words = {
  binary(method) {
    const ticket = { ...ISSUED.status.ticket, state: 77, requestState: 78, position: 4 };
    const status = { ticket, asOf: 9n };
    const bytes =
      method === "issue"
        ? toBinary(IssueResponseSchema, create(IssueResponseSchema, { token: "a-token", status }))
        : toBinary(GetTicketResponseSchema, create(GetTicketResponseSchema, { status }));
    return withMore(bytes);
  },
  json(method) {
    const ticket = {
      ...ISSUED.status.ticket,
      state: "TICKET_STATE_DRAWN",
      requestState: "REQUEST_STATE_TASTED",
      position: 4,
      mood: "good",
    };
    const status = { ticket, asOf: "9", colour: { of: "the sky" } };
    return method === "issue" ? { token: "a-token", status, more: [1] } : { status };
  },
};

const OLDER: Words = {
  binary: () => toBinary(IssueResponseSchema, create(IssueResponseSchema, ISSUED)),
  json: () => toJson(IssueResponseSchema, create(IssueResponseSchema, ISSUED)),
};

const EMPTY: Words = { binary: () => new Uint8Array(), json: () => ({}) };

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
