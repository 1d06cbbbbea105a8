// What plants faults in the evidence of a run: finds a place in it, and changes that.

import { fromBinary } from "@bufbuild/protobuf";
import { EnvelopeSchema } from "@usher/protocol/log";
import type { LogRecord } from "@usher/queue";
import { decodeRecord } from "@usher/replica";
import type { Evidence } from "../checker/checker.ts";
import type { Arrived, Began, Ended, HistoryLine, Seen, ServiceLine } from "../history/lines.ts";
import type { LogEntry } from "../log/entry.ts";
import { forged } from "../log/envelope.ts";

export type Plant = (evidence: Evidence) => Evidence;

export function inHistory(change: (lines: readonly HistoryLine[]) => readonly HistoryLine[]): Plant {
  return (evidence) => ({ ...evidence, history: change(evidence.history) });
}

export function inService(change: (lines: readonly ServiceLine[]) => readonly ServiceLine[]): Plant {
  return (evidence) => ({ ...evidence, service: change(evidence.service) });
}

export function inLog(change: (log: readonly LogEntry[]) => readonly LogEntry[]): Plant {
  return (evidence) => ({ ...evidence, log: change(evidence.log), earlier: [] });
}

/** The n-th of those that a place is sought among; throws where there is none, or the fault would not be planted. */
export function nth<Place>(places: readonly Place[], at = 0): Place {
  const place = places.at(at);
  if (place === undefined) throw new Error(`of the places for this fault there are only ${places.length}`);
  return place;
}

// ── In the history ────────────────────────────────────────────────────────────────────────────────────────────────

/** A call that was told of a ticket. */
export interface Telling {
  readonly began: Began;
  readonly ended: Ended;
  readonly seen: Seen;
}

export function tellings(lines: readonly HistoryLine[]): Telling[] {
  return lines.flatMap((ended) => {
    if (ended.kind !== "ended" || ended.seen === undefined) return [];
    return [{ ended, seen: ended.seen, began: beganOf(lines, ended) }];
  });
}

export function beganOf(lines: readonly HistoryLine[], { call }: Ended): Began {
  return nth(lines.filter((line) => line.kind === "began" && line.call === call) as Began[]);
}

/** Those that gave a ticket out. */
export function givings(lines: readonly HistoryLine[]): Telling[] {
  return tellings(lines).filter(({ began }) => began.op === "issue" || began.op === "request");
}

export function endings(lines: readonly HistoryLine[], which: (ended: Ended) => boolean): Ended[] {
  return lines.filter((line) => line.kind === "ended" && which(line)) as Ended[];
}

export function replaced<Line>(lines: readonly Line[], line: Line, by: Line): Line[] {
  return lines.map((one) => (one === line ? by : one));
}

/** The same call made once more, right after it, and told otherwise. */
export function again(
  lines: readonly HistoryLine[],
  { began, ended }: Pick<Telling, "began" | "ended">,
  otherwise: { readonly began?: Partial<Began>; readonly ended: Partial<Ended> },
): HistoryLine[] {
  const call = 1_000_000;
  return lines.toSpliced(
    lines.indexOf(ended) + 1,
    0,
    { ...began, ...otherwise.began, call },
    { ...ended, ...otherwise.ended, call },
  );
}

// ── At the service ────────────────────────────────────────────────────────────────────────────────────────────────

/** What reached the service with a ticket. */
export function arrivals(lines: readonly ServiceLine[]): Arrived[] {
  return lines.filter((line) => line.kind === "arrived" && line.ticket !== undefined) as Arrived[];
}

// ── In the log ────────────────────────────────────────────────────────────────────────────────────────────────────

export function records(log: readonly LogEntry[], kind: LogRecord["event"]["kind"]): LogEntry[] {
  return log.filter((entry) => recordOf(entry)?.event.kind === kind);
}

export function recordOf({ value }: LogEntry): LogRecord | undefined {
  const decoded = decodeRecord(value);
  return decoded.kind === "record" ? decoded.record : undefined;
}

/** Without one entry, and no others moved. */
export function without(log: readonly LogEntry[], entry: LogEntry): LogEntry[] {
  return log.filter((one) => one !== entry);
}

/** With two entries in each other's place. */
export function swapped(log: readonly LogEntry[], one: LogEntry, other: LogEntry): LogEntry[] {
  const at = (entry: LogEntry, { offset }: LogEntry) => ({ ...entry, offset });
  return log.map((entry) => (entry === one ? at(other, one) : entry === other ? at(one, other) : entry));
}

/** With an entry in the place of the one after it, as if its writer had written it twice: all that the same session
 * wrote later counts one higher. */
export function repeated(log: readonly LogEntry[], entry: LogEntry): LogEntry[] {
  const at = log.indexOf(entry);
  const { session } = fromBinary(EnvelopeSchema, entry.value);
  const later = (value: Uint8Array) =>
    forged(value, (one) => (one.session === session ? { sequence: one.sequence + 1 } : {}));
  const copy = { ...entry, offset: entry.offset + 0.5, value: later(entry.value) };
  return [
    ...log.slice(0, at + 1),
    copy,
    ...log.slice(at + 1).map((one) => ({ ...one, value: later(one.value) })),
  ];
}
