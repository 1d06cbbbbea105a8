// Between what a node knows and the messages of `usher.admin.v1`.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import {
  type GetStateResponseSchema,
  type LogEntrySchema,
  LogKind,
  LogState,
  type NodeSchema,
  type QueueDetailsSchema,
  type QueueSettings,
  type QueueSettingsSchema,
} from "@usher/protocol/admin";
import type { QueueMode as ModeCode } from "@usher/protocol/queue";
import type { Queue, QueueKind, QueueMode, Settings } from "@usher/queue";
import type { StoredEntry } from "@usher/ticket-log";
import type { Replica } from "../replica.ts";
import type { StateDigest } from "../state-digest.ts";
import { KINDS, MODES, queueMessage } from "./codec.ts";
import { VERSION } from "./version.ts";

export function detailsMessage(queue: Queue, etag: string): MessageInitShape<typeof QueueDetailsSchema> {
  return {
    name: queue.name,
    settings: settingsMessage(queue.settings),
    revision: queue.revision,
    etag,
    queue: queueMessage(queue),
    active: queue.active,
    remembered: queue.remembered,
    admissions: BigInt(queue.admissions),
    oldestWait: queue.oldestWait_ms === undefined ? undefined : durationFromMs(queue.oldestWait_ms),
  };
}

export function settingsMessage(settings: Settings): MessageInitShape<typeof QueueSettingsSchema> {
  return {
    kind: KINDS[settings.kind],
    mode: MODES[settings.mode],
    limit: { ratePerSecond: settings.rate_thousandths / 1000, maxActive: settings.max_active },
    maxWait: durationFromMs(settings.max_wait_ms),
    maxWaiting: settings.max_waiting,
    session: durationFromMs(settings.session_ms),
    keyRetention: durationFromMs(settings.key_retention_ms),
    attempts: settings.attempts,
    notice: settings.notice,
  };
}

/** The mode of a message; absent where it is none that this build knows. */
export function modeOf(code: ModeCode): QueueMode | undefined {
  return (Object.keys(MODES) as QueueMode[]).find((mode) => MODES[mode] === code);
}

/** The settings that a message tells; absent where this build does not know their kind or mode. */
export function settingsOf(message: QueueSettings): Settings | undefined {
  const kind = (Object.keys(KINDS) as QueueKind[]).find((kind) => KINDS[kind] === message.kind);
  const mode = modeOf(message.mode);
  if (kind === undefined || mode === undefined) return undefined;
  const { maxWaiting: max_waiting, attempts, notice } = message;
  return {
    ...{ kind, mode, max_waiting, attempts, notice },
    rate_thousandths: Math.round((message.limit?.ratePerSecond ?? 0) * 1_000),
    max_active: message.limit?.maxActive ?? 0,
    max_wait_ms: message.maxWait ? durationMs(message.maxWait) : 0,
    session_ms: message.session ? durationMs(message.session) : 0,
    key_retention_ms: message.keyRetention ? durationMs(message.keyRetention) : 0,
  };
}

type SettingReader = (message: QueueSettings) => Partial<Settings>;

/** A rate too low to count stays one that the model refuses, instead of becoming 0: that would be no limit at all. */
const setLimitRate: SettingReader = ({ limit }) => {
  const thousandths = (limit?.ratePerSecond ?? 0) * 1000;
  return { rate_thousandths: Math.round(thousandths) || thousandths };
};
const setLimitRoom: SettingReader = ({ limit }) => ({ max_active: limit?.maxActive ?? 0 });

/** What each path of an update mask changes. */
const SETTING_READERS: Readonly<Record<string, SettingReader>> = {
  mode: ({ mode: code }) => {
    const mode = modeOf(code);
    return mode === undefined ? {} : { mode };
  },
  limit: (message) => ({ ...setLimitRate(message), ...setLimitRoom(message) }),
  "limit.rate_per_second": setLimitRate,
  "limit.max_active": setLimitRoom,
  max_wait: ({ maxWait }) => ({ max_wait_ms: maxWait ? durationMs(maxWait) : 0 }),
  max_waiting: ({ maxWaiting }) => ({ max_waiting: maxWaiting }),
  session: ({ session }) => ({ session_ms: session ? durationMs(session) : 0 }),
  key_retention: ({ keyRetention }) => ({ key_retention_ms: keyRetention ? durationMs(keyRetention) : 0 }),
  attempts: ({ attempts }) => ({ attempts }),
  notice: ({ notice }) => ({ notice }),
};

/** The settings after an update, or the path that cannot be updated. */
export function updatedSettings(
  current: Settings,
  message: QueueSettings,
  paths: readonly string[],
): { settings: Settings } | { unknownPath: string } {
  let settings = current;
  for (const path of paths) {
    const read = Object.hasOwn(SETTING_READERS, path) ? SETTING_READERS[path] : undefined;
    if (read === undefined) return { unknownPath: path };
    settings = { ...settings, ...read(message) };
  }
  return { settings };
}

/** The state, in digests. */
export function stateMessage(
  { fold, asOf }: Pick<Replica, "fold" | "asOf">,
  state: StateDigest,
): MessageInitShape<typeof GetStateResponseSchema> {
  return {
    asOf: BigInt(asOf),
    digest: state.digest,
    logTime: durationFromMs(fold.now_ms),
    term: fold.term,
    queues: state.queues.map(({ queue, digest, stages }) => ({
      ...{ name: queue.name, digest, lastNumber: queue.lastNumber, admissions: BigInt(queue.admissions) },
      ...stages,
    })),
    pieces: state.pieces.map((piece) => ({ ...piece, fields: { ...piece.fields } })),
  };
}

/** How the node stands. */
export function nodeMessage(replica: Replica): MessageInitShape<typeof NodeSchema> {
  const { fold } = replica;
  return {
    name: replica.node,
    version: VERSION,
    ready: replica.ready,
    unreadyReason: unreadyReason(replica),
    log: logMessage(replica),
    logTime: durationFromMs(fold.now_ms),
    term: fold.term,
    epoch: replica.epoch(),
    timekeeper: replica.timekeeper,
    sessions: fold.sessions
      .entries()
      .filter(({ closed }) => !closed)
      .map(({ id, heard_ms }) => ({
        id,
        node: fold.sessions.node(id),
        silence: durationFromMs(fold.now_ms - heard_ms),
      })),
  };
}

function logMessage(replica: Replica): MessageInitShape<typeof NodeSchema>["log"] {
  const { halted, lag_ms, records } = replica;
  const stale = replica.stale ? LogState.STALE : LogState.CURRENT;
  return {
    kind: replica.shared ? LogKind.SHARED : LogKind.EMBEDDED,
    state: halted === undefined ? stale : LogState.HALTED,
    haltedReason: halted?.message,
    lag: Number.isFinite(lag_ms) ? durationFromMs(Math.round(lag_ms)) : undefined,
    asOf: BigInt(replica.asOf),
    folded: BigInt(records.folded),
    ignored: BigInt(records.ignored),
    skipped: BigInt(records.skipped),
  };
}

function unreadyReason({ ready, draining, halted, staleness, lag_ms, silence_ms }: Replica): string {
  if (ready) return "";
  if (draining.aborted) return "it is shutting down";
  if (halted !== undefined) return `it reads the log no further: ${halted.message}`;
  if (staleness === "timeless")
    return `nobody has kept time in the log for ${Math.round(silence_ms / 1000)} s`;
  const since = Number.isFinite(lag_ms) ? `for ${Math.round(lag_ms / 1000)} s` : "to its end yet";
  return `it has not read the log ${since}`;
}

export function entryMessage(entry: StoredEntry): MessageInitShape<typeof LogEntrySchema> {
  const { offset, key, value, headers } = entry;
  return { offset: BigInt(offset), key, value, headers: { ...headers } };
}
