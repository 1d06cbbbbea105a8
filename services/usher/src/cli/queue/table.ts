// Queues as people read them.

import { durationMs } from "@bufbuild/protobuf/wkt";
import type { QueueDetails } from "@usher/protocol/admin";
import { QueueKind, QueueMode } from "@usher/protocol/queue";
import { formatDuration } from "../../config/duration.ts";
import { columns, visible } from "../text.ts";

/** One line a queue, under a head. */
export function queueTable(queues: readonly QueueDetails[]): string {
  if (queues.length === 0) return "There are no queues.";
  const head = ["QUEUE", "KIND", "MODE", "RATE/S", "ACTIVE", "WAITING", "SERVING", "LAST", "PACE/S"];
  const rows = queues.map((details) => {
    const { settings, queue } = details;
    return [
      details.name,
      kindText(settings?.kind),
      modeText(settings?.mode),
      limitText(settings?.limit?.ratePerSecond),
      `${details.active} of ${limitText(settings?.limit?.maxActive)}`,
      String(queue?.waiting ?? 0),
      String(queue?.nowServing ?? 0),
      String(queue?.lastNumber ?? 0),
      queue?.pacePerSecond === undefined ? "-" : queue.pacePerSecond.toFixed(1),
    ];
  });
  return columns([head, ...rows]);
}

/** All of one queue, as a server has shown it. */
export function detailsText(details: QueueDetails | undefined): string {
  return details === undefined ? "The server showed no queue." : queueText(details);
}

/** All of one queue, a line each. */
export function queueText(details: QueueDetails): string {
  const { settings, queue } = details;
  const duration = (value: Parameters<typeof durationMs>[0] | undefined): string =>
    value === undefined ? "-" : formatDuration(durationMs(value));
  return columns([
    ["name", details.name],
    ["kind", kindText(settings?.kind)],
    ["mode", modeText(settings?.mode)],
    ["limit.rate_per_second", limitText(settings?.limit?.ratePerSecond)],
    ["limit.max_active", limitText(settings?.limit?.maxActive)],
    ["max_wait", duration(settings?.maxWait)],
    ["max_waiting", String(settings?.maxWaiting ?? 0)],
    ["session", duration(settings?.session)],
    ["key_retention", duration(settings?.keyRetention)],
    ["attempts", String(settings?.attempts ?? 0)],
    ["notice", visible(JSON.stringify(settings?.notice ?? ""))],
    ["revision", `${details.revision} (etag ${details.etag})`],
    ["waiting", String(queue?.waiting ?? 0)],
    ["active", String(details.active)],
    ["now serving", `number ${queue?.nowServing ?? 0} of ${queue?.lastNumber ?? 0}`],
    ["pace", queue?.pacePerSecond === undefined ? "not known" : `${queue.pacePerSecond.toFixed(1)} a second`],
    ["remembered", String(details.remembered)],
  ]);
}

function kindText(kind: QueueKind = QueueKind.UNSPECIFIED): string {
  return QueueKind[kind]?.toLowerCase() ?? String(kind);
}

export function modeText(mode: QueueMode = QueueMode.UNSPECIFIED): string {
  return QueueMode[mode]?.toLowerCase() ?? String(mode);
}

export function limitText(limit = 0): string {
  return limit === 0 ? "none" : String(limit);
}
