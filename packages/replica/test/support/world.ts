// One replica on a log in memory, and what a test wants to know of both.

import type { Outcome, Settings } from "@usher/queue";
import { SETTINGS_DEFAULTS } from "@usher/queue";
import {
  type MemoryLog,
  type MemoryLogOptions,
  MemoryStore,
  openMemoryLog,
  type StoredEntry,
} from "@usher/ticket-log";
import { afterEach, expect } from "vitest";
import { type Caller, type IssueWish, Replica, type ReplicaOptions } from "../../src/index.ts";
import { decodeRecord } from "../../src/log/codec.ts";
import { KEYS } from "./keys.ts";
import { passing } from "./time.ts";

/** A caller that is known by nothing but its keys. */
export const NOBODY: Caller = { id: "", trusted: false };

export const SETTINGS: Settings = {
  ...SETTINGS_DEFAULTS,
  kind: "pass",
  max_active: 1,
  max_wait_ms: 60 * 60_000,
};

export interface World {
  readonly replica: Replica;
  readonly log: MemoryLog;
  readonly store: MemoryStore;
  /** What went wrong beside any call. */
  readonly faults: Error[];
  /** Closes the replica, then its log. */
  close(): Promise<void>;
}

export interface WorldOptions extends Omit<MemoryLogOptions, "now">, Partial<Omit<ReplicaOptions, "log">> {}

const open = new Set<World>();

/** Closes what a test has left open; in stopped time, which passes for it. */
export function closeWorlds(): void {
  afterEach(async () => {
    for (const world of open) await passing(world.close());
  });
}

/** Opens a replica; its log is empty unless the store says otherwise. */
export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const { store = new MemoryStore(), limits, fate, ...rest } = options;
  const faults: Error[] = [];
  const log = openMemoryLog({ store, limits, fate });
  const opening = Replica.open({
    log,
    keys: KEYS,
    node: "node",
    onFault: (error) => faults.push(error),
    ...rest,
  });
  const replica = await opening.catch(async (error: unknown) => {
    await log.close();
    throw error;
  });
  const world: World = {
    replica,
    log,
    store,
    faults,
    async close() {
      if (!open.delete(world)) return;
      await replica.close();
      await log.close();
    },
  };
  open.add(world);
  return world;
}

/** Makes a queue. */
export async function makeQueue(world: World, name: string, settings: Partial<Settings> = {}): Promise<void> {
  const outcome = await world.replica.configure(
    name,
    { ...SETTINGS, ...settings },
    { revision: 1, reason: "" },
  );
  expect(outcome).toEqual<Outcome>({ kind: "applied" });
}

/** Takes a ticket. */
export function issue(world: World, queue: string, wish: Partial<IssueWish> = {}) {
  return world.replica.desk.issue({ queue, caller: NOBODY, ...wish });
}

/** What kind of record an entry is; "bad" or "newer" where it is none. */
export function kindOf({ value }: { readonly value: Uint8Array }): string {
  const decoded = decodeRecord(value);
  return decoded.kind === "record" ? decoded.record.event.kind : decoded.kind;
}

/** The kinds of the log's records, in order. */
export function kinds(store: MemoryStore): string[] {
  return entriesOf(store).map(kindOf);
}

export function entriesOf(store: MemoryStore): readonly StoredEntry[] {
  return store.read(0, store.end);
}

/** The log's records, decoded; what is none is left out. */
export function recordsOf(store: MemoryStore) {
  return entriesOf(store).flatMap(({ value }) => {
    const decoded = decodeRecord(value);
    return decoded.kind === "record" ? [decoded.record] : [];
  });
}
