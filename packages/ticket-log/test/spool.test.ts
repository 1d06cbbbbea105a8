// The spool's tables: what they hold, and what they let go.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { PartHead } from "../src/kafka/spool/messages.ts";
import { SCHEMA, SpoolStore } from "../src/kafka/spool/store.ts";
import { openDatabase } from "../src/sqlite/database.ts";
import { temporaryDirectory } from "./sqlite-harness.ts";

const KEY = { session: 1n, sequence: 1, attempt: 0 };

async function open(bytes_max: number): Promise<{ store: SpoolStore } & AsyncDisposable> {
  const directory = await temporaryDirectory();
  const store = new SpoolStore(openDatabase({ file: join(directory, "spool.db") }, SCHEMA), bytes_max);
  return {
    store,
    async [Symbol.asyncDispose]() {
      store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** As it comes from the topic. */
function head(offset: number, more: Partial<PartHead> = {}): PartHead {
  return { offset, key: KEY, stored_ms: 1, put: "", part: 1, parts: 1, length: 1, ...more };
}

it("passes over what its tables cannot hold, and takes what comes with it", async () => {
  await using opened = await open(1_000);
  const { store } = opened;
  const other = { ...KEY, sequence: 2 };
  const heads = [head(0), head(1, { stored_ms: 1.5 }), head(2, { key: other })];
  store.take({ heads, bytes: new Uint8Array([10, 11, 12]), next: 3, before: undefined });
  expect(store.payload(KEY)).toEqual(new Uint8Array([10]));
  expect(store.payload(other)).toEqual(new Uint8Array([12]));
  expect(store.opened.next).toBe(3);
});
