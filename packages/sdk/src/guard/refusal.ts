// What is refused, and the words for it. How it goes over the wire: http.ts and status.ts.

import type { Flaw } from "./pass.ts";

/** Why a request is not let through.
 * - `pass_required`: no pass came that counts. Whoever sent it has to wait for their turn.
 * - `keys_unavailable`: there are no keys to check a pass with. Whoever sent it may send it again, a little later. */
export type RefusalReason = "pass_required" | "keys_unavailable";

export interface Refusal {
  readonly reason: RefusalReason;
  /** What is wrong with the pass; absent where it could not be checked. */
  readonly flaw?: Flaw;
  /** For people: what happened, and what to do. Holds nothing secret. */
  readonly detail: string;
  /** The queues whose passes are taken. */
  readonly queues: readonly string[];
  /** Where to wait; absent where the guard was not told. */
  readonly waitAt?: string;
  /** After how long to try again, in milliseconds, at least a second; absent where that makes no sense. */
  readonly retryAfter?: number;
}

const FLAWS: Readonly<Record<Flaw, string>> = {
  missing: "No pass came with the request",
  malformed: "What came with the request is no pass",
  untrusted: "The pass is signed by nobody who is trusted here",
  elsewhere: "The pass is for another queue, or for another service",
  early: "The pass is not good yet",
  expired: "The session of the pass is over",
};

/** Nobody is asked to come back sooner, in milliseconds. */
const RETRY_MS_MIN = 1_000;

/** What all refusals of one guard say. */
export type Where = Pick<Refusal, "queues" | "waitAt">;

export function passRequired(flaw: Flaw, where: Where): Refusal {
  const place = where.waitAt ?? `the queue "${where.queues.join('" or "')}"`;
  const detail = `${FLAWS[flaw]}: wait for your turn at ${place}, and come back with the pass.`;
  return { reason: "pass_required", flaw, detail, ...where };
}

export function keysUnavailable(retryAfter: number, where: Where): Refusal {
  const detail =
    "The keys to check passes with cannot be had at present: send the request again, with the same pass.";
  return { reason: "keys_unavailable", detail, retryAfter: Math.max(RETRY_MS_MIN, retryAfter), ...where };
}
