// The admitted tickets that have not ended, in the order in which they took their slots. Objects, since there are only
// as many as the limit lets in.

import type { TicketSession } from "./ticket-sessions.ts";

/** A gateway's right to send a stored request. */
export interface Claim {
  /** The writer session that claimed. */
  readonly session: bigint;
  /** When it ends by itself, in ms of log time. */
  readonly lapses_ms: number;
  /** Whether the request may be sent again though it may have been carried out. */
  readonly idempotent: boolean;
}

export interface Active {
  readonly number: number;
  /** The order of admission in the queue, from 1. */
  readonly admission: number;
  /** When it took its slot, in ms of log time: at its admission, or when an operator had it tried again. */
  readonly admitted_ms: number;
  /** From when on `max_wait` is counted for it, on the queue's waiting clock: its issue, or an operator's word to try it
   * again. */
  readonly since_ms: number;
  /** It carries a stored request. */
  readonly stored: boolean;
  /** Claims so far. */
  attempt: number;
  /** Those of them that were before an operator's word to try it again: they do not count as attempts any more. */
  readonly spent: number;
  claim: Claim | undefined;
  /** Not to be claimed before, in ms of log time. */
  notBefore_ms: number;
  /** The service has seen it: a claim ended otherwise than before anything was sent. */
  reached: boolean;
  /** A claim was lost after sending had begun: the service may have carried it out. */
  maybeDone: boolean;
  /** Absent with a stored request. */
  session: TicketSession | undefined;
}

export class ActiveTickets {
  readonly #byNumber = new Map<number, Active>();
  #stored = 0;
  #unsent = 0;

  get size(): number {
    return this.#byNumber.size;
  }

  /** How many carry a stored request. */
  get stored(): number {
    return this.#stored;
  }

  /** How many carry a stored request that the service has not seen, and nobody is sending: newcomers are behind them. */
  get unsent(): number {
    return this.#unsent;
  }

  get(number: number): Active | undefined {
    return this.#byNumber.get(number);
  }

  /** In the order in which they took their slots. */
  values(): Iterable<Active> {
    return this.#byNumber.values();
  }

  add(
    admitted: Pick<Active, "number" | "admission" | "admitted_ms" | "since_ms" | "stored" | "spent">,
  ): Active {
    if (admitted.stored) {
      this.#stored++;
      this.#unsent++;
    }
    const active: Active = {
      ...admitted,
      attempt: admitted.spent,
      claim: undefined,
      notBefore_ms: 0,
      reached: false,
      maybeDone: false,
      session: undefined,
    };
    this.#byNumber.set(admitted.number, active);
    return active;
  }

  claim(active: Active, claim: Claim): void {
    if (isUnsent(active)) this.#unsent--;
    active.attempt++;
    active.claim = claim;
  }

  release(active: Active, notBefore_ms: number): void {
    active.claim = undefined;
    active.notBefore_ms = notBefore_ms;
    if (isUnsent(active)) this.#unsent++;
  }

  delete(number: number): void {
    const active = this.#byNumber.get(number);
    if (active === undefined) return;
    this.#byNumber.delete(number);
    if (!active.stored) return;
    this.#stored--;
    if (isUnsent(active)) this.#unsent--;
  }
}

function isUnsent({ stored, claim, reached }: Active): boolean {
  return stored && claim === undefined && !reached;
}
