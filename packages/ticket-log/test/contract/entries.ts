// The entries that the checks write, and how they look at them.

import assert from "node:assert/strict";
import { type Entry, LogError, type LogErrorCode, type StoredEntry, type TicketLog } from "../../src/log.ts";

export function entry(text: string, key = "orders"): Entry {
  return { key, value: Buffer.from(text) };
}

export function texts(entries: readonly Entry[]): string[] {
  return entries.map(({ value }) => Buffer.from(value).toString());
}

/** Where each is and what it says, for comparing what two followers got. */
export function places(entries: readonly StoredEntry[]): string[] {
  return entries.map(({ offset, value }) => `${offset}: ${Buffer.from(value)}`);
}

/** `count` texts: "<prefix> 0", "<prefix> 1", and so on. */
export function numbered(count: number, prefix = "entry"): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix} ${n}`);
}

/** Appends them in one turn of the event loop, and waits for all. */
export async function appendAll(log: TicketLog, names: readonly string[]): Promise<void> {
  const writer = log.openWriter();
  await Promise.all(names.map((name) => writer.append(entry(name))));
}

/** Whether a call was refused with this code, nothing having happened. */
export function refusedAs(code: LogErrorCode): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof LogError, `not a LogError: ${error}`);
    assert.deepEqual({ code: error.code, outcome: error.outcome }, { code, outcome: "refused" });
    return true;
  };
}
