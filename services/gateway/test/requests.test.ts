// What a node keeps in memory of the requests that it took: bounded, and only those that are still to be sent.

import { create } from "@bufbuild/protobuf";
import { HeaderSchema, StoredRequestSchema } from "@usher/protocol/payload";
import type { Replica } from "@usher/replica";
import { expect, test } from "vitest";
import { keyIn, Requests } from "../src/dispatch/requests.ts";

/** A replica whose store has nothing: what is read is what was kept. */
const EMPTY = { payloads: { readRequest: async () => undefined } } as unknown as Replica;

const LARGE = create(StoredRequestSchema, { body: new Uint8Array(20 * 1024 * 1024) });

function origin(sequence: number) {
  return { session: 1n, sequence };
}

test("what does not fit beside the others is read from the log's store", async () => {
  const requests = new Requests(EMPTY);
  requests.took(origin(1), LARGE);
  requests.took(origin(2), LARGE);
  expect(await requests.read(origin(1))).toBe(LARGE);
  expect(await requests.read(origin(2))).toBeUndefined();
});

test("those who left or expired make room for those who come", async () => {
  const requests = new Requests(EMPTY);
  requests.took(origin(1), LARGE);
  requests.forget(origin(1), false);
  requests.took(origin(2), LARGE);
  expect(await requests.read(origin(1))).toBeUndefined();
  expect(await requests.read(origin(2))).toBe(LARGE);
});

/** A request that brings nothing but an idempotency key, and so many bytes of headers besides. */
function keyed(key: string, bytes = 0) {
  const header = (name: string, value: Uint8Array) => create(HeaderSchema, { name, value });
  const headers = [header("Idempotency-Key", Buffer.from(key)), header("x", new Uint8Array(bytes))];
  return create(StoredRequestSchema, { headers });
}

test("headers take room as bodies do", async () => {
  const requests = new Requests(EMPTY);
  requests.took(origin(1), keyed("k", 20 * 1024 * 1024));
  requests.took(origin(2), LARGE);
  expect(await requests.read(origin(2))).toBeUndefined();
});

test("a key is known from the taking of its request, and forgotten with a request that was never sent", () => {
  const requests = new Requests(EMPTY);
  const [taken, sent] = [origin(1), origin(2)];
  requests.took(taken, keyed("one"));
  requests.took(sent, keyed("two"));
  expect([taken, sent].map((one) => requests.knownKey(one))).toEqual(["one", "two"]);
  requests.forget(taken, false);
  requests.forget(sent, true);
  expect([taken, sent].map((one) => requests.knownKey(one))).toEqual([undefined, "two"]);
});

test("a key that is longer than a ticket's may be is neither kept nor told", async () => {
  const requests = new Requests(EMPTY);
  const [longest, tooLong] = ["k".repeat(255), "k".repeat(256)];
  requests.took(origin(1), keyed(longest));
  requests.took(origin(2), keyed(tooLong));
  expect([await requests.keyOf(origin(1)), await requests.keyOf(origin(2))]).toEqual([longest, undefined]);
  expect([keyIn(keyed(longest)), keyIn(keyed(tooLong))]).toEqual([longest, undefined]);
});
