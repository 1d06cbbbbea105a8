// The pure model of a queue: a fold over the records of the log. No I/O, no clock, no protobuf.
//
//   record.ts      what the fold reads              outcome.ts   what it tells of each record
//   fold.ts        the log: sessions, terms, time   queue.ts     one queue: the rules
//   tickets.ts     tickets by number, in columns    line.ts      who waits, and positions
//   active.ts      who is admitted                  budget.ts    the rate, as a token bucket in log time

export type { Active, Claim } from "./active.ts";
export { ADMIT_REQUESTS_MAX } from "./admit-requests.ts";
export { BURST_MS } from "./budget.ts";
export { Fold, NoGenesisError, QUEUES_MAX, TICK_MAX_MS } from "./fold.ts";
export type { Change, ChangeKind, IgnoredReason, Outcome, RefusedReason } from "./outcome.ts";
export { waitAt } from "./pace.ts";
export {
  ADMIT_MAX,
  CLAIM_GRACE_MS,
  PASS_GRACE_MS,
  Queue,
  type RequestState,
  type TicketState,
  type TicketView,
} from "./queue.ts";
export type { AdmitWho, LogEvent, LogRecord, QueueEvent, ReleaseReason, SessionId } from "./record.ts";
export { SESSION_SILENCE_MS, SESSIONS_MAX } from "./sessions.ts";
export {
  NOTICE_LENGTH_MAX,
  type QueueKind,
  type QueueMode,
  SETTINGS_BOUNDS,
  SETTINGS_DEFAULTS,
  type Settings,
  settingsProblems,
} from "./settings.ts";
export { NUMBER_MAX } from "./tickets.ts";
