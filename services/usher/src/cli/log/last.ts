// The last so many entries of some kind, found from the log's end backwards.

import type { StoredEntry } from "@usher/ticket-log";
import type { AdminClient } from "../client.ts";
import { readEntries } from "./entries.ts";

/** By how much each look back is longer than the one before, in offsets, from the shortest to the longest. */
const LOOK_BACK = { least: 1_000, growth: 4, most: 1_000_000 } as const;

/** The last `count` entries that are wanted, in order, and where the log ends. Looks back as far as it must. */
export async function lastEntries(
  client: AdminClient,
  { count, wanted }: { count: number; wanted: (entry: StoredEntry) => boolean },
  signal: AbortSignal,
): Promise<{ found: readonly StoredEntry[]; end: number }> {
  const found: StoredEntry[] = [];
  const look = async (range: { from?: number; last?: number; until?: number }) => {
    const room = count - found.length;
    const tail: StoredEntry[] = [];
    let sight: { first: number; end: number } | undefined;
    for await (const { entries, next, end } of readEntries(client, range, signal)) {
      sight ??= { first: next, end };
      tail.push(...entries.filter(wanted));
      // No more is kept than can be shown.
      if (tail.length > room) tail.splice(0, tail.length - room);
    }
    found.unshift(...tail);
    return sight ?? { first: 0, end: 0 };
  };
  const { first, end } = await look({ last: Math.max(1, count) });
  let until = first;
  for (let length: number = LOOK_BACK.least; found.length < count && until > 0 && !signal.aborted; ) {
    const from = Math.max(0, until - length);
    await look({ from, until });
    until = from;
    length = Math.min(LOOK_BACK.most, length * LOOK_BACK.growth);
  }
  return { found, end };
}
