// Between the fold's records and the log's bytes: `usher.log.v1` in its envelope.

import { crc32 } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  EnvelopeSchema,
  QueueKind as KindCode,
  QueueMode as ModeCode,
  ReleaseReason as ReasonCode,
  type Record as RecordMessage,
  RecordSchema,
} from "@usher/protocol/log";
import type {
  LogEvent,
  LogRecord,
  QueueKind,
  QueueMode,
  ReleaseReason,
  SessionId,
  Settings,
} from "@usher/queue";

/** The highest level of format that this build reads. */
export const FORMAT_LEVEL = 4;

/** The longest name of who did something, in characters; more of it is not written. */
export const ACTOR_LENGTH_MAX = 64;

/** The level that a reader must know to fold a record: the lowest that had its kind, and what it says, so that nodes of an older build
 * go on beside this one until there is something that they do not know. */
const LEVELS: Readonly<Partial<Record<LogEvent["kind"], number>>> = {
  request_retried: 2,
  session_extended: 3,
};
const LEVEL_DEFAULT = 1;
const LEVEL_ADOPT_KEY = 3;
const LEVEL_PASS_OVER = 4;

function levelOf(event: LogEvent): number {
  if (event.kind === "ticket_issued" && event.adopt_key) return LEVEL_ADOPT_KEY;
  if (event.kind === "session_extended" && event.pass_over) return LEVEL_PASS_OVER;
  return LEVELS[event.kind] ?? LEVEL_DEFAULT;
}

const KINDS: Readonly<Record<QueueKind, KindCode>> = { defer: KindCode.DEFER, pass: KindCode.PASS };
const MODES: Readonly<Record<QueueMode, ModeCode>> = {
  auto: ModeCode.AUTO,
  queue_all: ModeCode.QUEUE_ALL,
  paused: ModeCode.PAUSED,
  open: ModeCode.OPEN,
  closed: ModeCode.CLOSED,
};
const REASONS: Readonly<Record<ReleaseReason, ReasonCode>> = {
  refused: ReasonCode.REFUSED,
  not_connected: ReasonCode.NOT_CONNECTED,
  draining: ReasonCode.DRAINING,
  lost: ReasonCode.LOST,
  timed_out: ReasonCode.TIMED_OUT,
  payload_gone: ReasonCode.PAYLOAD_GONE,
};

/** What an entry of the log turned out to be. */
export type Decoded =
  | { readonly kind: "record"; readonly record: LogRecord }
  /** Written by a newer build. Its session can be read, what it says cannot. */
  | { readonly kind: "newer"; readonly session: SessionId; readonly format_level: number }
  /** Damaged, or never a record of ours. */
  | { readonly kind: "bad"; readonly why: string };

export function encodeRecord(record: LogRecord): Uint8Array<ArrayBuffer> {
  const bytes = toBinary(RecordSchema, create(RecordSchema, { kind: encodeEvent(record.event) }));
  const header = {
    formatLevel: levelOf(record.event),
    session: record.session,
    sequence: record.sequence,
    wallTimeMs: BigInt(record.wall_ms),
  };
  const checksum = checksumOf(header, bytes);
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, { ...header, checksum, record: bytes }));
}

export function decodeRecord(value: Uint8Array): Decoded {
  try {
    const envelope = fromBinary(EnvelopeSchema, value);
    if (envelope.checksum !== checksumOf(envelope, envelope.record))
      return bad("its checksum does not match");
    if (envelope.formatLevel > FORMAT_LEVEL) {
      return { kind: "newer", session: envelope.session, format_level: envelope.formatLevel };
    }
    const event = decodeEvent(fromBinary(RecordSchema, envelope.record));
    if (event === undefined) return bad("it is of no known kind, or lacks what its kind needs");
    const { session, sequence } = envelope;
    return { kind: "record", record: { session, sequence, wall_ms: Number(envelope.wallTimeMs), event } };
  } catch (error) {
    return bad(error instanceof Error ? error.message : String(error));
  }
}

function bad(why: string): Decoded {
  return { kind: "bad", why };
}

interface Header {
  readonly formatLevel: number;
  readonly session: bigint;
  readonly sequence: number;
  readonly wallTimeMs: bigint;
}

function checksumOf(header: Header, record: Uint8Array): number {
  const bytes = Buffer.allocUnsafe(24);
  bytes.writeUInt32LE(header.formatLevel, 0);
  bytes.writeBigUInt64LE(header.session, 4);
  bytes.writeUInt32LE(header.sequence, 12);
  bytes.writeBigInt64LE(header.wallTimeMs, 16);
  return crc32(record, crc32(bytes));
}

type Kind = NonNullable<Parameters<typeof create<typeof RecordSchema>>[1]>["kind"];

function encodeEvent(event: LogEvent): Kind {
  switch (event.kind) {
    case "genesis":
      return { case: "genesis", value: { id: Buffer.from(event.id, "hex") } };
    case "session_opened":
      return { case: "sessionOpened", value: { former: event.former, node: event.node } };
    case "term_opened":
      return { case: "termOpened", value: { term: event.term } };
    case "term_closed":
      return { case: "termClosed", value: { term: event.term } };
    case "tick":
      return { case: "tick", value: { term: event.term, elapsedMs: event.elapsed_ms } };
    case "queue_configured":
      return {
        case: "queueConfigured",
        value: {
          queue: event.queue,
          revision: event.revision,
          reason: event.reason,
          actor: event.actor?.slice(0, ACTOR_LENGTH_MAX),
          ...encodeSettings(event.settings),
        },
      };
    case "ticket_issued":
      return {
        case: "ticketIssued",
        value: {
          queue: event.queue,
          keyHash: event.key,
          subjectHash: event.subject,
          requestDigest: event.digest,
          storedRequest: event.stored_request,
          adoptKey: event.adopt_key,
        },
      };
    case "ticket_left":
      return { case: "ticketLeft", value: { queue: event.queue, number: event.number } };
    case "admit_requested":
      return {
        case: "admitRequested",
        value: {
          queue: event.queue,
          requestIdHash: Buffer.from(event.request_id, "hex"),
          who:
            "count" in event.who
              ? { case: "count", value: event.who.count }
              : { case: "number", value: event.who.number },
        },
      };
    case "dispatch_claimed":
      return {
        case: "dispatchClaimed",
        value: {
          queue: event.queue,
          number: event.number,
          attempt: event.attempt,
          timeoutMs: event.timeout_ms,
          idempotent: event.idempotent,
        },
      };
    case "claim_released":
      return {
        case: "claimReleased",
        value: {
          queue: event.queue,
          number: event.number,
          attempt: event.attempt,
          notBeforeMs: event.not_before_ms,
          reason: REASONS[event.reason],
        },
      };
    case "request_answered":
      return {
        case: "requestAnswered",
        value: { queue: event.queue, number: event.number, attempt: event.attempt, status: event.status },
      };
    case "ticket_completed":
      return { case: "ticketCompleted", value: { queue: event.queue, number: event.number } };
    case "request_retried":
      return {
        case: "requestRetried",
        value: {
          queue: event.queue,
          number: event.number,
          reason: event.reason,
          actor: event.actor?.slice(0, ACTOR_LENGTH_MAX),
        },
      };
    case "session_extended":
      return {
        case: "sessionExtended",
        value: { queue: event.queue, number: event.number, passOver: event.pass_over ?? false },
      };
  }
}

function encodeSettings(settings: Settings) {
  return {
    kind: KINDS[settings.kind],
    mode: MODES[settings.mode],
    rateThousandths: settings.rate_thousandths,
    maxActive: settings.max_active,
    maxWaitMs: BigInt(settings.max_wait_ms),
    maxWaiting: settings.max_waiting,
    sessionMs: BigInt(settings.session_ms),
    keyRetentionMs: BigInt(settings.key_retention_ms),
    attempts: settings.attempts,
    notice: settings.notice,
  };
}

/** Absent: the message is of no kind that this build knows, or lacks a part. */
function decodeEvent({ kind }: RecordMessage): LogEvent | undefined {
  switch (kind.case) {
    case "genesis":
      return { kind: "genesis", id: Buffer.from(kind.value.id).toString("hex") };
    case "sessionOpened":
      return { kind: "session_opened", former: kind.value.former, node: kind.value.node };
    case "termOpened":
      return { kind: "term_opened", term: kind.value.term };
    case "termClosed":
      return { kind: "term_closed", term: kind.value.term };
    case "tick":
      return { kind: "tick", term: kind.value.term, elapsed_ms: kind.value.elapsedMs };
    case "queueConfigured": {
      const { queue, revision, reason } = kind.value;
      const actor = kind.value.actor || undefined;
      const settings = decodeSettings(kind.value);
      return settings && { kind: "queue_configured", queue, revision, reason, actor, settings };
    }
    case "ticketIssued":
      return {
        kind: "ticket_issued",
        queue: kind.value.queue,
        key: unlessEmpty(kind.value.keyHash),
        subject: unlessEmpty(kind.value.subjectHash),
        digest: unlessEmpty(kind.value.requestDigest),
        stored_request: kind.value.storedRequest,
        adopt_key: kind.value.adoptKey || undefined,
      };
    case "ticketLeft":
      return { kind: "ticket_left", queue: kind.value.queue, number: kind.value.number };
    case "admitRequested": {
      const { queue, requestIdHash, who } = kind.value;
      if (who.case === undefined) return undefined;
      return {
        kind: "admit_requested",
        queue,
        request_id: Buffer.from(requestIdHash).toString("hex"),
        who: who.case === "count" ? { count: who.value } : { number: who.value },
      };
    }
    case "dispatchClaimed": {
      const { queue, number, attempt, timeoutMs, idempotent } = kind.value;
      return { kind: "dispatch_claimed", queue, number, attempt, timeout_ms: timeoutMs, idempotent };
    }
    case "claimReleased": {
      const { queue, number, attempt, notBeforeMs } = kind.value;
      const reason = nameOf(REASONS, kind.value.reason);
      return reason && { kind: "claim_released", queue, number, attempt, not_before_ms: notBeforeMs, reason };
    }
    case "requestAnswered": {
      const { queue, number, attempt, status } = kind.value;
      return { kind: "request_answered", queue, number, attempt, status };
    }
    case "ticketCompleted":
      return { kind: "ticket_completed", queue: kind.value.queue, number: kind.value.number };
    case "requestRetried": {
      const { queue, number, reason } = kind.value;
      return { kind: "request_retried", queue, number, reason, actor: kind.value.actor || undefined };
    }
    case "sessionExtended": {
      const { queue, number, passOver } = kind.value;
      return { kind: "session_extended", queue, number, pass_over: passOver || undefined };
    }
    default:
      return undefined;
  }
}

type SettingsMessage = ReturnType<typeof encodeSettings>;

function decodeSettings(message: SettingsMessage): Settings | undefined {
  const kind = nameOf(KINDS, message.kind);
  const mode = nameOf(MODES, message.mode);
  if (kind === undefined || mode === undefined) return undefined;
  return {
    kind,
    mode,
    rate_thousandths: message.rateThousandths,
    max_active: message.maxActive,
    max_wait_ms: Number(message.maxWaitMs),
    max_waiting: message.maxWaiting,
    session_ms: Number(message.sessionMs),
    key_retention_ms: Number(message.keyRetentionMs),
    attempts: message.attempts,
    notice: message.notice,
  };
}

function nameOf<Name extends string, Code>(
  names: Readonly<Record<Name, Code>>,
  code: Code,
): Name | undefined {
  for (const name of Object.keys(names) as Name[]) if (names[name] === code) return name;
  return undefined;
}

function unlessEmpty(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length === 0 ? undefined : bytes;
}
