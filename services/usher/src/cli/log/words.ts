// Entries of the log as people and programs read them.

import type { LogEvent, SessionId } from "@usher/queue";
import type { Decoded } from "@usher/replica";
import type { StoredEntry } from "@usher/ticket-log";
import { momentText, word } from "../text.ts";

/** Which node writes in which session, as far as is known. */
export type SessionNames = ReadonlyMap<SessionId, string>;

type Plain = string | number | boolean | { readonly [field: string]: Plain };

/** An entry, decoded, for a program: JSON can hold it. */
export interface EntryLine {
  readonly offset: number;
  readonly kind: Decoded["kind"];
  /** The queue's name; empty for what concerns the whole log. */
  readonly key: string;
  /** In hexadecimal; absent where it cannot be read. */
  readonly session?: string;
  /** Absent where it is not known. */
  readonly node?: string;
  readonly sequence?: number;
  /** By the writer's wall clock. */
  readonly wall_time?: string;
  readonly event?: { readonly kind: LogEvent["kind"]; readonly [field: string]: Plain };
  readonly format_level?: number;
  /** Why a bad one is none. */
  readonly why?: string;
  readonly bytes: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export function sessionText(session: SessionId): string {
  return session.toString(16).padStart(16, "0");
}

export function entryLine(entry: StoredEntry, decoded: Decoded, names: SessionNames): EntryLine {
  const { offset, key, value, headers } = entry;
  const line = { offset, kind: decoded.kind, key, bytes: value.length, ...shownHeaders(headers) };
  switch (decoded.kind) {
    case "bad":
      return { ...line, why: decoded.why };
    case "newer":
      return { ...line, ...writer(decoded.session, names), format_level: decoded.format_level };
    case "record": {
      const { session, sequence, wall_ms, event } = decoded.record;
      const { kind, ...fields } = event;
      return {
        ...line,
        ...writer(session, names),
        sequence,
        wall_time: momentText(wall_ms),
        event: { kind, ...plain(fields) },
      };
    }
  }
}

/** One line: offset, wall time, node, sequence, kind, and what the record says. */
export function lineText(line: EntryLine): string {
  const by = line.node === undefined ? (line.session ?? "-") : word(line.node);
  const head = [String(line.offset).padStart(8), (line.wall_time ?? "-").padEnd(24), by.padEnd(16)];
  const sequence = (line.sequence === undefined ? "-" : `#${line.sequence}`).padEnd(7);
  return [...head, sequence, body(line), ...pairs(line.headers ?? {})].join(" ");
}

function body({ kind, event, why, format_level, key, bytes }: EntryLine): string {
  const place = `${bytes} bytes, key ${word(key)}`;
  if (kind === "bad") return `BAD, passed over: ${word(why ?? "")} (${place})`;
  if (event === undefined) {
    return `NEWER: of format level ${format_level}, which this build cannot read; run a newer Usher (${place})`;
  }
  const { kind: name, ...fields } = event;
  return [name, ...pairs(fields)].join(" ");
}

/** `limit.max=5`: what lies in another is named with it. */
function pairs(fields: Readonly<Record<string, Plain>>, prefix = ""): string[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    typeof value === "object"
      ? pairs(value, `${prefix}${word(name)}.`)
      : [`${prefix}${word(name)}=${word(String(value))}`],
  );
}

function writer(session: SessionId, names: SessionNames): { session: string; node?: string } {
  const node = names.get(session);
  return node === undefined ? { session: sessionText(session) } : { session: sessionText(session), node };
}

function shownHeaders(headers: StoredEntry["headers"]): Pick<EntryLine, "headers"> {
  return headers === undefined || Object.keys(headers).length === 0 ? {} : { headers };
}

/** A record's fields as JSON can hold them: hashes and sessions in hexadecimal, what is absent left out. */
function plain(fields: object): Record<string, Plain> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]): [string, Plain][] => {
      if (value === undefined) return [];
      if (value instanceof Uint8Array) return [[name, Buffer.from(value).toString("hex")]];
      if (typeof value === "bigint") return [[name, sessionText(value)]];
      return [[name, typeof value === "object" && value !== null ? plain(value) : value]];
    }),
  );
}
