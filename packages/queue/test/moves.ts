// What may happen in a history: moves that say who does what to which ticket, before it is known what that ticket is
// called or which attempt would be the next.

import type { ReleaseReason, Settings } from "../src/index.ts";

/** The queues of every history, one of each kind. */
export const DEFER = "orders";
export const PASS = "checkout";

/** How many nodes write. */
export const WRITERS = 3;

/** The largest number that a record can carry. */
export const UINT32_MAX = 2 ** 32 - 1;

export type Among =
  | "waiting"
  | "admitted"
  | "unclaimed"
  | "claimed"
  | "unknown"
  | "failed"
  | "retried"
  | "ended"
  | "all"
  | "absurd";

/** A ticket, by what it is when the move is made. */
export interface Pick {
  readonly queue: string;
  readonly among: Among;
  readonly at: number;
}

/** Who writes a record, and what becomes of it on its way into the log. */
export interface Sending {
  readonly writer: number;
  readonly as: "itself" | "its former session" | "a stranger";
  readonly fate: "lands" | "lands twice" | "lands late" | "is lost";
  /** How many records later, for those that land twice or late. */
  readonly late: number;
}

export type Move =
  | { readonly do: "sleep"; readonly elapsed_ms: number; readonly ticks: number }
  | { readonly do: "tick wrongly"; readonly by: "another" | "itself"; readonly off: number }
  | { readonly do: "open a term"; readonly off: number }
  | { readonly do: "close the term"; readonly off: number }
  | { readonly do: "restart" }
  | { readonly do: "open oddly"; readonly how: "0" | "twice" | "after itself" }
  | { readonly do: "crowd in"; readonly sessions: number; readonly closing: boolean }
  | { readonly do: "begin anew" }
  | { readonly do: "issue"; readonly queue: string; readonly times: number; readonly ticket: TicketWish }
  | { readonly do: "leave" | "complete" | "retry"; readonly ticket: Pick }
  | { readonly do: "extend"; readonly ticket: Pick; readonly passOver: boolean }
  | { readonly do: "admit some"; readonly queue: string; readonly id: number; readonly count: number }
  | { readonly do: "admit one"; readonly ticket: Pick; readonly id: number }
  | {
      readonly do: "claim";
      readonly ticket: Pick;
      readonly off: number;
      readonly timeout_ms: number;
      readonly idempotent: boolean;
    }
  | {
      readonly do: "release";
      readonly ticket: Pick;
      readonly off: number;
      readonly delay_ms: number;
      readonly reason: ReleaseReason;
    }
  | { readonly do: "answer"; readonly ticket: Pick; readonly off: number; readonly status: number }
  | {
      readonly do: "configure";
      readonly queue: string;
      readonly off: number;
      readonly change: Partial<Settings>;
    };

export interface TicketWish {
  readonly key: number | undefined;
  readonly digest: number | undefined;
  readonly subject: number | undefined;
  /** The key is to be the subject's ticket's. */
  readonly adopting: boolean;
  readonly stored: boolean;
  /** With a stored request in a pass queue, where none belongs. */
  readonly misplaced: boolean;
  /** Too short to be a hash: cannot be. */
  readonly malformed: boolean;
}

export interface Written {
  readonly move: Move;
  readonly sending: Sending;
}
