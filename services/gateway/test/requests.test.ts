// What a node keeps in memory of the requests that it took: bounded, and only those that are still to be sent.

import { create } from "@bufbuild/protobuf";
import { StoredRequestSchema } from "@usher/protocol/payload";
import type { Replica } from "@usher/replica";
import { expect, test } from "vitest";
import { Requests } from "../src/dispatch/requests.ts";

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
  requests.forget(origin(1));
  requests.took(origin(2), LARGE);
  expect(await requests.read(origin(1))).toBeUndefined();
  expect(await requests.read(origin(2))).toBe(LARGE);
});
