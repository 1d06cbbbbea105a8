// The pure model of a queue: a fold over the records of the log. No I/O, no clock, no protobuf.
//
//   record.ts     what the fold reads                  outcome.ts    what it tells of each record
//   fold.ts       the log: sessions, terms, time       queue.ts      one queue: the rules; begin here
//   newcomers.ts  who is given a ticket                admission.ts  whose turn comes
//   requests.ts   what becomes of stored requests      ticket-sessions.ts   how long those without one may stay
//   tickets.ts    tickets by number, in columns        line.ts       who waits, and positions
//   aliases.ts    further keys of a ticket             estimate.ts   how long a place still waits
//   active.ts     who is admitted                      budget.ts     the rate, as a token bucket in log time
//   sessions.ts   whose records count                  settings.ts   what operators set, and its bounds
//   retry-after.ts   when those who poll ask again
//
//   description.ts   the whole state, for comparing replicas; encoding.ts as bytes, difference.ts in words

export type { Active, Claim } from "./active.ts";
export { ADMIT_MAX } from "./admission.ts";
export { ADMIT_REQUESTS_MAX } from "./admit-requests.ts";
export { ALIASES_MAX } from "./aliases.ts";
export { BURST_MS } from "./budget.ts";
export {
  type Described,
  type DescribedLog,
  PART_KINDS,
  type Part,
  type PartKind,
  type Value,
} from "./description.ts";
export { differences } from "./difference.ts";
export { CHUNK_BYTES, encodeParts } from "./encoding.ts";
export { type Measured, type Wait, waitAt } from "./estimate.ts";
export { Fold, NoGenesisError, QUEUES_MAX, TICK_MAX_MS } from "./fold.ts";
export type { Change, ChangeKind, IgnoredReason, Outcome, RefusedReason } from "./outcome.ts";
export type { Queue } from "./queue.ts";
export type { AdmitWho, LogEvent, LogRecord, QueueEvent, ReleaseReason, SessionId } from "./record.ts";
export { CLAIM_GRACE_MS } from "./requests.ts";
export { retryAfter_ms } from "./retry-after.ts";
export {
  type NodeHeard,
  SESSION_SILENCE_MS,
  SESSIONS_MAX,
  type SessionKept,
  TIME_LABEL,
} from "./sessions.ts";
export {
  isPlainLine,
  NOTICE_LENGTH_MAX,
  type QueueKind,
  type QueueMode,
  SETTINGS_BOUNDS,
  SETTINGS_DEFAULTS,
  type Settings,
  settingsProblems,
} from "./settings.ts";
export type { RequestState, TicketState, TicketView } from "./ticket.ts";
export { PASS_GRACE_MS, type TicketSession } from "./ticket-sessions.ts";
export { NUMBER_MAX } from "./tickets.ts";
