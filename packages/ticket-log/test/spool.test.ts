// The spool's tables: what they hold, and what they let go.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { PartHead } from "../src/kafka/spool/messages.ts";
import { SCHEMA, type SpoolBounds, SpoolStore } from "../src/kafka/spool/store.ts";
import { openDatabase } from "../src/sqlite/database.ts";
import { temporaryDirectory } from "./sqlite-harness.ts";

const KEY = { session: 1n, sequence: 1, attempt: 0 };

async function open(bounds: SpoolBounds): Promise<{ store: SpoolStore } & AsyncDisposable> {
  const directory = await temporaryDirectory();
  const store = new SpoolStore(openDatabase({ file: join(directory, "spool.db") }, SCHEMA), bounds);
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
  await using opened = await open({ bytes_max: 1_000 });
  const { store } = opened;
  const other = { ...KEY, sequence: 2 };
  const heads = [head(0), head(1, { stored_ms: 1.5 }), head(2, { key: other })];
  store.take({ heads, bytes: new Uint8Array([10, 11, 12]), next: 3, before: undefined });
  expect(store.payload(KEY)).toEqual({ bytes: new Uint8Array([10]) });
  expect(store.payload(other)).toEqual({ bytes: new Uint8Array([12]) });
  expect(store.opened.next).toBe(3);
});

/** Takes requests and answers of ten bytes each, named by their sequence and attempt, in order. */
function fill(
  store: SpoolStore,
  names: readonly (readonly [sequence: number, attempt: number])[],
  from = 0,
): void {
  const heads = names.map(([sequence, attempt], at) =>
    head(from + at, { key: { session: 1n, sequence, attempt }, length: 10 }),
  );
  store.take({
    heads,
    bytes: new Uint8Array(heads.length * 10),
    next: from + heads.length,
    before: undefined,
  });
}

/** What is kept of each: its bytes, its place, or nothing. */
function kept(store: SpoolStore, names: readonly (readonly [sequence: number, attempt: number])[]): string[] {
  return names.map(([sequence, attempt]) => {
    const { bytes, places } = store.payload({ session: 1n, sequence, attempt });
    return bytes ? "bytes" : places ? `place ${places.map(({ offset }) => offset)}` : "nothing";
  });
}

describe("a spool without room", () => {
  it("keeps the places of the newest requests, and the bytes of those that are sent before them", async () => {
    await using opened = await open({ bytes_max: 30 });
    const names = [1, 2, 3, 4, 5].map((sequence) => [sequence, 0] as const);
    fill(opened.store, names);
    expect(kept(opened.store, names)).toEqual(["bytes", "bytes", "bytes", "place 3", "place 4"]);
    expect(opened.store.full).toBe(true);
  });

  it("lets answered tickets go first, the oldest answer before others, and no more than it must", async () => {
    await using opened = await open({ bytes_max: 60 });
    fill(opened.store, [
      [1, 0],
      [2, 0],
      [3, 0],
      [2, 1],
      [1, 1],
      [4, 0],
    ]);
    expect(opened.store.full).toBe(false);
    fill(opened.store, [[5, 0]], 6);
    const names = [
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 1],
      [3, 0],
      [4, 0],
      [5, 0],
    ] as const;
    expect(kept(opened.store, names)).toEqual([
      "bytes",
      "bytes",
      "place 1",
      "place 3",
      "bytes",
      "bytes",
      "bytes",
    ]);
  });

  it("has room again when enough of it was dropped, also after it was opened again", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "spool.db");
    const reopened = () => new SpoolStore(openDatabase({ file }, SCHEMA), { bytes_max: 50 });
    const first = reopened();
    const names = [1, 2, 3, 4, 5, 6].map((sequence) => [sequence, 0] as const);
    fill(first, names);
    expect(first.full).toBe(true);
    first.close();
    const store = reopened();
    fill(store, [[7, 0]], 6);
    expect([store.full, kept(store, [[7, 0]])]).toEqual([true, ["place 6"]]);
    // A place takes no room.
    store.drop([{ session: 1n, sequence: 7 }]);
    expect(store.full).toBe(true);
    store.drop([{ session: 1n, sequence: 1 }]);
    expect(store.full).toBe(false);
    fill(store, [[8, 0]], 7);
    expect(kept(store, [...names, [8, 0]])).toEqual([
      "nothing",
      "bytes",
      "bytes",
      "bytes",
      "bytes",
      "place 5",
      "bytes",
    ]);
    store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it("keeps as many places as it is told to, and forgets them all where the topic is another", async () => {
    await using opened = await open({ bytes_max: 10, places_max: 2 });
    const names = [1, 2, 3, 4, 5].map((sequence) => [sequence, 0] as const);
    fill(opened.store, names);
    expect(kept(opened.store, names)).toEqual(["bytes", "nothing", "nothing", "place 3", "place 4"]);
    opened.store.forgetPlaces();
    expect(kept(opened.store, names)).toEqual(["bytes", "nothing", "nothing", "nothing", "nothing"]);
  });

  it("counts a record that it takes again once", async () => {
    await using opened = await open({ bytes_max: 30 });
    const names = [1, 2, 3].map((sequence) => [sequence, 0] as const);
    for (let times = 0; times < 5; times++) fill(opened.store, names);
    expect(kept(opened.store, names)).toEqual(["bytes", "bytes", "bytes"]);
  });
});
