// What the fold reads: the facts of `usher.log.v1`, decoded. The comments there say what each one means; the code
// here decides what each one does.

import type { Settings } from "./settings.ts";

/** A writer session's name: 64 random bits, never 0. */
export type SessionId = bigint;

/** One record, as every replica reads it. */
export interface LogRecord {
  readonly session: SessionId;
  /** Rises within the session, from 1. */
  readonly sequence: number;
  /** The writer's wall clock, in milliseconds since 1970: for display, never for a decision. */
  readonly wall_ms: number;
  readonly event: LogEvent;
}

/** The part of a record that a queue's rules may look at, beside its event. */
export type Stamp = Pick<LogRecord, "session" | "sequence" | "wall_ms">;

export type LogEvent =
  | { readonly kind: "genesis"; readonly id: string }
  | SessionOpened
  | { readonly kind: "term_opened"; readonly term: number }
  | { readonly kind: "term_closed"; readonly term: number }
  | { readonly kind: "tick"; readonly term: number; readonly elapsed_ms: number }
  | QueueEvent;

export interface SessionOpened {
  readonly kind: "session_opened";
  /** The session that the same process wrote in before; 0: none. */
  readonly former: SessionId;
  /** The node's name; with `TIME_LABEL` after it in a session for ticks alone. */
  readonly node: string;
}

/** The events that concern one queue. */
export type QueueEvent =
  | Configured
  | Issued
  | Left
  | AdmitRequested
  | Claimed
  | Released
  | Answered
  | Completed
  | Retried
  | Extended;

export interface Configured {
  readonly kind: "queue_configured";
  readonly queue: string;
  readonly revision: number;
  readonly settings: Settings;
  /** Why, in the operator's words: for those who read the log. */
  readonly reason: string;
  /** Who did it, for those who read the log; absent where it is not known. */
  readonly actor?: string;
}

export interface Issued {
  readonly kind: "ticket_issued";
  readonly queue: string;
  /** 16 bytes; absent without an idempotency key. */
  readonly key?: Uint8Array;
  /** 16 bytes; absent without a subject. */
  readonly subject?: Uint8Array;
  /** 8 bytes; absent without a key. */
  readonly digest?: Uint8Array;
  readonly stored_request: boolean;
  /** Whether the key is to be one of the subject's live ticket, should there be one. */
  readonly adopt_key?: boolean;
}

export interface Left {
  readonly kind: "ticket_left";
  readonly queue: string;
  readonly number: number;
}

export interface AdmitRequested {
  readonly kind: "admit_requested";
  readonly queue: string;
  /** 16 bytes, in hexadecimal. */
  readonly request_id: string;
  readonly who: AdmitWho;
}

export interface Claimed {
  readonly kind: "dispatch_claimed";
  readonly queue: string;
  readonly number: number;
  readonly attempt: number;
  readonly timeout_ms: number;
  readonly idempotent: boolean;
}

/** Whom an Admit means: that many from the front, or the one of a number. */
export type AdmitWho = { readonly count: number } | { readonly number: number };

export type ReleaseReason = "refused" | "not_connected" | "draining" | "lost" | "timed_out" | "payload_gone";

export interface Released {
  readonly kind: "claim_released";
  readonly queue: string;
  readonly number: number;
  readonly attempt: number;
  readonly not_before_ms: number;
  readonly reason: ReleaseReason;
}

export interface Answered {
  readonly kind: "request_answered";
  readonly queue: string;
  readonly number: number;
  readonly attempt: number;
  readonly status: number;
}

export interface Completed {
  readonly kind: "ticket_completed";
  readonly queue: string;
  readonly number: number;
}

export interface Retried {
  readonly kind: "request_retried";
  readonly queue: string;
  readonly number: number;
  /** Why, in the operator's words: for those who read the log. */
  readonly reason: string;
  /** Who did it, for those who read the log; absent where it is not known. */
  readonly actor?: string;
}

export interface Extended {
  readonly kind: "session_extended";
  readonly queue: string;
  readonly number: number;
  /** Whether the pass ended, by its writer's wall clock, though the session goes on for longer than another one would:
   * then it begins anew by that clock alone. Older builds wrote no such record. */
  readonly pass_over?: boolean;
}
