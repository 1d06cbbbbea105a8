// A picture of the nodes and queues as lines of text, and as JSON.

import { durationMs } from "@bufbuild/protobuf/wkt";
import { LogKind, LogState, type Node, type QueueDetails } from "@usher/protocol/admin";
import { QueueMode } from "@usher/protocol/queue";
import { TIME_LABEL } from "@usher/queue";
import { formatDuration } from "../../config/duration.ts";
import { columns, printable, secondsText } from "../text.ts";
import { nameOf, type Sight } from "./nodes.ts";
import type { PacedQueue, Picture } from "./picture.ts";

/** How large the text may be; absent: as large as it is. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

/** The picture, a line an element; where there is less room, lines are cut, and queues that do not fit are counted. */
export function pictureLines(picture: Picture, room?: Room): string[] {
  const head = [headline(picture), "", ...nodeLines(picture), ""];
  const queues = queueLines(picture.queues);
  const fit = room === undefined ? queues.length : Math.max(1, room.rows - head.length);
  const shown = queues.length <= fit ? queues : queues.slice(0, fit - 1);
  const more = queues.length - shown.length;
  const lines = [
    ...head,
    ...shown,
    ...(more > 0 ? [`… and ${more} more queues: a taller window shows them`] : []),
  ];
  return room === undefined ? lines : lines.slice(0, room.rows).map((line) => cut(line, room.columns));
}

function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}

function headline({ foremost, sights }: Picture): string {
  if (foremost === undefined)
    return sights.every(({ kind }) => kind === "unasked") ? "asking …" : "no node can be reached";
  const { timekeeper, term, logTime } = foremost;
  const keeper =
    timekeeper === undefined
      ? `nobody keeps time, after term ${term}`
      : `${printable(timekeeper.node)} keeps time, term ${timekeeper.term}`;
  const seconds_ms = Math.floor(ms(logTime) / 1_000) * 1_000;
  return `${keeper} · T ${formatDuration(seconds_ms)}`;
}

function nodeLines({ sights, foremost }: Picture): string[] {
  const head = ["NODE", "ADDRESS", "TERM", "LAG", "AS OF", "STATE"];
  const rows = sights.map((sight) => nodeRow(sight, foremost));
  return [...columns([head, ...rows]).split("\n"), ...alsoHeard(sights, foremost)];
}

function nodeRow(sight: Sight, foremost: Node | undefined): string[] {
  const name = printable(nameOf(sight) ?? "?");
  if (sight.kind !== "seen")
    return [name, sight.url, "-", "-", "-", sight.kind === "unasked" ? "…" : `away: ${printable(sight.why)}`];
  const { node } = sight;
  const { log, term, timekeeper } = node;
  return [
    name,
    sight.url,
    `${term}${timekeeper?.own === true ? " *" : ""}`,
    log?.lag === undefined ? "-" : `${ms(log.lag)} ms`,
    String(log?.asOf ?? 0),
    stateText(node, foremost),
  ];
}

function stateText(node: Node, foremost: Node | undefined): string {
  const { ready, unreadyReason, log, epoch } = node;
  if (foremost !== undefined && epoch !== foremost.epoch)
    return `on another log: its epoch is ${printable(epoch)}, not ${printable(foremost.epoch)}`;
  const skipped = log === undefined || log.skipped === 0n ? "" : ` (${log.skipped} entries were no records)`;
  if (ready) return `ready${skipped}`;
  return `${logWord(log?.state)}: ${printable(unreadyReason)}${skipped}`;
}

function logWord(state: LogState | undefined): string {
  if (state === LogState.HALTED) return "HALTED";
  return state === LogState.STALE ? "stale" : "not ready";
}

/** Nodes that have a session in the log and were not asked. */
function alsoHeard(sights: readonly Sight[], foremost: Node | undefined): string[] {
  const asked = new Set(sights.map(nameOf));
  const others = heard(foremost).filter(({ node }) => !asked.has(node));
  return others.map(
    ({ node, silence_ms }) =>
      `also in this log: ${printable(node)}, heard ${secondsText(silence_ms)} of log time ago`,
  );
}

/** Whom the node has heard, in whatever session, and how long ago in log time. */
function heard(node: Node | undefined): { node: string; silence_ms: number }[] {
  const silences = new Map<string, number>();
  for (const { node: label, silence } of node?.sessions ?? []) {
    const name = label.endsWith(TIME_LABEL) ? label.slice(0, -TIME_LABEL.length) : label;
    silences.set(name, Math.min(ms(silence), silences.get(name) ?? Number.POSITIVE_INFINITY));
  }
  return Array.from(silences, ([name, silence_ms]) => ({ node: name, silence_ms }));
}

function queueLines(queues: readonly PacedQueue[]): string[] {
  if (queues.length === 0) return [];
  const head = ["QUEUE", "MODE", "WAITING", "OLDEST", "ACTIVE", "LIMIT", "ADMITTED/S"];
  const rows = queues.map(({ details, pace }) => {
    const { name, settings, queue, active, oldestWait } = details;
    return [
      name,
      modeText(settings?.mode),
      String(queue?.waiting ?? 0),
      oldestWait === undefined ? "-" : secondsText(ms(oldestWait)),
      String(active),
      limitText(details),
      pace === undefined ? "-" : pace.toFixed(1),
    ];
  });
  return columns([head, ...rows]).split("\n");
}

function modeText(mode: QueueMode = QueueMode.UNSPECIFIED): string {
  return QueueMode[mode]?.toLowerCase() ?? String(mode);
}

function limitText({ settings }: QueueDetails): string {
  const { ratePerSecond = 0, maxActive = 0 } = settings?.limit ?? {};
  const parts = [
    ...(ratePerSecond === 0 ? [] : [`${ratePerSecond}/s`]),
    ...(maxActive === 0 ? [] : [`${maxActive} at once`]),
  ];
  return parts.join(", ");
}

/** The picture for a program. */
export function pictureJson({ sights, queues }: Picture): object {
  return {
    nodes: sights.map((sight) =>
      sight.kind === "seen"
        ? { url: sight.url, ...nodeJson(sight.node) }
        : { url: sight.url, error: sight.kind === "away" ? sight.why : "not asked yet" },
    ),
    queues: queues.map(({ details }) => ({
      name: details.name,
      mode: modeText(details.settings?.mode),
      rate_per_second: details.settings?.limit?.ratePerSecond ?? 0,
      max_active: details.settings?.limit?.maxActive ?? 0,
      waiting: details.queue?.waiting ?? 0,
      oldest_wait_ms: details.oldestWait === undefined ? null : ms(details.oldestWait),
      active: details.active,
      admissions: Number(details.admissions),
    })),
  };
}

function nodeJson(node: Node): object {
  const { name, version, ready, unreadyReason, log, term, timekeeper, epoch } = node;
  return {
    ...{ name, version, ready, unready_reason: unreadyReason, epoch, term, log_time_ms: ms(node.logTime) },
    timekeeper:
      timekeeper === undefined ? null : { node: timekeeper.node, term: timekeeper.term, own: timekeeper.own },
    log: {
      kind: LogKind[log?.kind ?? LogKind.UNSPECIFIED].toLowerCase(),
      state: LogState[log?.state ?? LogState.UNSPECIFIED].toLowerCase(),
      lag_ms: log?.lag === undefined ? null : ms(log.lag),
      as_of: Number(log?.asOf ?? 0n),
      folded: Number(log?.folded ?? 0n),
      ignored: Number(log?.ignored ?? 0n),
      skipped: Number(log?.skipped ?? 0n),
    },
    heard: heard(node),
  };
}

function ms(duration: Parameters<typeof durationMs>[0] | undefined): number {
  return duration === undefined ? 0 : durationMs(duration);
}
