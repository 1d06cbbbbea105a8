// What the fold tells of a record: what became of it, and what changed because of it. Whoever appended the record
// answers its caller from the outcome; changes wake those who watch and those who send.

/** Why a record had no effect, as if it were not there. */
export type IgnoredReason =
  | "unknown_session"
  | "not_rising"
  | "session_known"
  | "second_genesis"
  | "old_term"
  | "old_revision"
  | "impossible"
  | "not_claimable"
  | "no_such_claim";

/** Why a caller's wish was not granted; nothing changed. */
export type RefusedReason =
  | "no_queue"
  | "closed"
  | "full"
  | "key_reused"
  | "claimed"
  | "not_admitted"
  | "stored_request"
  | "unknown_ticket"
  | "not_failed"
  | "no_room";

export type Outcome =
  | { readonly kind: "ignored"; readonly reason: IgnoredReason }
  | { readonly kind: "refused"; readonly reason: RefusedReason }
  | { readonly kind: "applied" }
  | { readonly kind: "issued"; readonly number: number; readonly existing: boolean }
  /** The numbers that the request id admitted, now or when it first came. */
  | { readonly kind: "admitted"; readonly numbers: readonly number[] };

export const APPLIED: Outcome = { kind: "applied" };

export function ignored(reason: IgnoredReason): Outcome {
  return { kind: "ignored", reason };
}

export function refused(reason: RefusedReason): Outcome {
  return { kind: "refused", reason };
}

/**
 * - `admitted`: its turn came, or an operator has its failed request tried again; a stored request may be claimed.
 * - `claimed`, `released`: a gateway took it, or gave it back.
 * - `ended`: completed, left, expired, failed or unknown. A failed one may be `admitted` once more, until it is
 *   forgotten; what was stored for it is needed until then.
 * - `extended`: its session begins anew.
 * - `settled`: *unknown* became *answered*.
 * - `forgotten`: remembered no longer.
 */
export type ChangeKind = "admitted" | "claimed" | "released" | "extended" | "ended" | "settled" | "forgotten";

export interface Change {
  readonly kind: ChangeKind;
  readonly queue: string;
  readonly number: number;
  /** With `forgotten` alone: the record that issued the ticket, for letting go of what was stored for it. */
  readonly origin?: { readonly session: bigint; readonly sequence: number };
}
