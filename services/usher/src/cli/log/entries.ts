// The log's entries, read from a node.

import { setTimeout as pause } from "node:timers/promises";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { LogEntry } from "@usher/protocol/admin";
import type { StoredEntry } from "@usher/ticket-log";
import { Failure } from "../../failure.ts";
import type { AdminClient } from "../client.ts";
import { Silence } from "../silence.ts";

/** Which entries. */
export interface Range {
  /** From this offset on; absent: from the beginning. */
  readonly from?: number;
  /** The last so many offsets, in place of `from`. */
  readonly last?: number;
  /** Up to before this offset; absent: up to where the log ends when it is asked. */
  readonly until?: number;
  /** And what comes after it. */
  readonly follow?: boolean;
}

/** What came at a time. */
export interface Step {
  readonly entries: readonly StoredEntry[];
  /** The offset after them. */
  readonly next: number;
  /** Where the log ended when it was asked. */
  readonly end: number;
}

/** Yields the entries of a range, and steps without any. Goes on where a node that shuts down breaks off. Throws a
 * `ConnectError`, or a `Failure` where the node falls silent; just ends when the signal aborts. */
export async function* readEntries(
  client: AdminClient,
  { from, last, until = 0, follow = false }: Range,
  signal: AbortSignal,
): AsyncGenerator<Step, void> {
  const range = { start: startOf(from, last), until: BigInt(until), follow };
  while (!signal.aborted) {
    const silence = new Silence(signal);
    let again_ms: number | undefined;
    try {
      for await (const message of client.readLog(range, { ...silence.options, timeoutMs: 0 })) {
        silence.deaf();
        const { next, end, reconnectAfter } = message;
        yield { entries: message.entries.map(storedEntry), next: Number(next), end: Number(end) };
        range.start = startOf(Number(next));
        // Where it is broken off, the rest is read up to the same end.
        if (!follow && until === 0) range.until = end;
        again_ms = reconnectAfter && durationMs(reconnectAfter);
        silence.broken();
      }
    } catch (error) {
      if (signal.aborted) return;
      if (silence.over)
        throw new Failure("the node has stopped telling of the log; try again, or another node");
      throw error;
    } finally {
      silence.end();
    }
    if (again_ms === undefined) return;
    await pause(again_ms, undefined, { signal }).catch(() => {});
  }
}

function startOf(from: number | undefined, last?: number) {
  if (last !== undefined) return { case: "last", value: last } as const;
  return from === undefined ? undefined : ({ case: "from", value: BigInt(from) } as const);
}

function storedEntry({ offset, key, value, headers }: LogEntry): StoredEntry {
  return { offset: Number(offset), key, value, headers };
}
