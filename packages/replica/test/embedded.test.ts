// A replica on the embedded log, in real time.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteLog, type TicketLog } from "@usher/ticket-log";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Replica } from "../src/index.ts";
import { KEYS } from "./support/keys.ts";
import { NOBODY, SETTINGS } from "./support/world.ts";

let directory: string;
let log: TicketLog;
let replica: Replica;
const faults: Error[] = [];

async function open(): Promise<void> {
  log = await openSqliteLog({ directory });
  replica = await Replica.open({ log, keys: KEYS, node: "node", onFault: (error) => faults.push(error) });
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "usher-replica-"));
  faults.length = 0;
  await open();
  await replica.configure("q", { ...SETTINGS, max_active: 100 }, { revision: 1, reason: "" });
});

afterEach(async () => {
  await replica.close();
  await log.close();
  await rm(directory, { recursive: true });
});

const issue = (key?: string) => replica.desk.issue({ queue: "q", caller: NOBODY, key });

it("a thousand at once get a number each; after a new start each has the same one", async () => {
  const keys = Array.from({ length: 1_000 }, (_, n) => `the key of number ${n}`);
  const places = await Promise.all(keys.map(issue));
  const numbers = places.map(({ view }) => view.number);
  expect(numbers.toSorted((a, b) => a - b)).toEqual(keys.map((_, n) => n + 1));
  await replica.close();
  await log.close();
  await open();
  const again = await Promise.all(keys.map(issue));
  expect(again.map(({ view }) => view.number)).toEqual(numbers);
  expect(again.every(({ existing }) => existing)).toBe(true);
  for (const { token, view } of places)
    expect((await replica.desk.held(token)).view.number).toBe(view.number);
  expect(faults).toEqual([]);
});

it("everybody who was let in before a close is answered by it, and nobody afterwards", async () => {
  const asked = Array.from({ length: 500 }, () => issue());
  // Their records are handed over in this turn; the close comes after it.
  await new Promise((resolve) => setImmediate(resolve));
  const closing = replica.close();
  await expect(issue()).rejects.toMatchObject({ reason: "NOT_READY" });
  await closing;
  expect((await Promise.allSettled(asked)).every(({ status }) => status === "fulfilled")).toBe(true);
  expect(replica.fold.queue("q")).toMatchObject({ lastNumber: 500, active: 100, waiting: 400 });
});
