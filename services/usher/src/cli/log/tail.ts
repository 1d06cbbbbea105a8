// `usher log tail`: the log's last records, and those that come.

import { setTimeout as pause } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import type { SessionId } from "@usher/queue";
import { decodeRecord } from "@usher/replica";
import type { StoredEntry } from "@usher/ticket-log";
import { EXIT } from "../../failure.ts";
import { backoff_ms, isFinal, retryDelay_ms } from "../backoff.ts";
import { type AdminClient, type AdminFlags, callAdmin } from "../client.ts";
import { say } from "../say.ts";
import { printLine, stopSignal } from "../stop.ts";
import { spanText } from "../watch/words.ts";
import { readEntries } from "./entries.ts";
import { lastEntries } from "./last.ts";
import { entryLine, lineText } from "./words.ts";

/** How many records are shown from the log's end, and how many at most. */
export const TAIL_DEFAULT = 20;
export const TAIL_MAX = 10_000;

export interface TailFlags extends AdminFlags {
  readonly number: number;
  readonly follow?: boolean;
  readonly queue?: string;
  /** False with `--no-ticks`. */
  readonly ticks: boolean;
  readonly json?: boolean;
}

export async function tail(flags: TailFlags): Promise<void> {
  const stop = stopSignal();
  await callAdmin(flags, async (client) => {
    const lines = new Lines(await openSessions(client), flags);
    const { found, end } = await lastEntries(client, { count: flags.number, wanted: lines.wanted }, stop);
    for (const entry of found) lines.learn(entry);
    for (const entry of found) await printLine(lines.text(entry), stop);
    if (flags.follow === true) await follow(client, lines, { flags, from: end, stop });
  });
  if (stop.aborted) process.exitCode = EXIT.interrupted;
}

/** What comes, whatever happens to the connection in between, until it is stopped. */
async function follow(
  client: AdminClient,
  lines: Lines,
  { flags, from, stop }: { flags: TailFlags; from: number; stop: AbortSignal },
): Promise<void> {
  let next = from;
  let failures = 0;
  while (!stop.aborted) {
    try {
      for await (const step of readEntries(client, { from: next, follow: true }, stop)) {
        failures = 0;
        for (const entry of step.entries) {
          lines.learn(entry);
          if (lines.wanted(entry)) await printLine(lines.text(entry), stop);
        }
        next = step.next;
      }
    } catch (caught) {
      const error = ConnectError.from(caught);
      if (isFinal(error)) throw error;
      failures++;
      const retry_ms = Math.max(retryDelay_ms(error) ?? 0, backoff_ms(failures, Math.random));
      say(`${flags.url}: ${error.rawMessage}; again in ${spanText(retry_ms)}`);
      await pause(retry_ms, undefined, { signal: stop }).catch(() => {});
    }
  }
}

/** Which node writes in which session, of those that are open. */
async function openSessions(client: AdminClient): Promise<Map<SessionId, string>> {
  const { node } = await client.getNode({});
  return new Map(node?.sessions.map(({ id, node }) => [id, node]));
}

/** Which entries are shown, and how. */
class Lines {
  readonly #names: Map<SessionId, string>;
  readonly #flags: TailFlags;

  constructor(names: Map<SessionId, string>, flags: TailFlags) {
    this.#names = names;
    this.#flags = flags;
  }

  readonly wanted = ({ key, value }: StoredEntry): boolean => {
    const { queue, ticks } = this.#flags;
    if (queue !== undefined && key !== queue) return false;
    if (ticks) return true;
    const decoded = decodeRecord(value);
    return decoded.kind !== "record" || decoded.record.event.kind !== "tick";
  };

  /** A session's opening says whose it is. */
  learn({ value }: StoredEntry): void {
    const decoded = decodeRecord(value);
    if (decoded.kind !== "record" || decoded.record.event.kind !== "session_opened") return;
    this.#names.set(decoded.record.session, decoded.record.event.node);
  }

  text(entry: StoredEntry): string {
    const line = entryLine(entry, decodeRecord(entry.value), this.#names);
    return this.#flags.json === true ? JSON.stringify(line) : lineText(line);
  }
}
