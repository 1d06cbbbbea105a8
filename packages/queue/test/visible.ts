// Everything that can be asked of a fold, as one plain value: for comparing a fold with the reference, or with
// another fold of the same log.

import type { Claim, Fold, SessionKept, Settings, TicketView } from "../src/index.ts";
import type { Reference } from "./reference.ts";

interface VisibleActive {
  readonly number: number;
  readonly admission: number;
  readonly admitted_ms: number;
  readonly stored: boolean;
  readonly attempt: number;
  readonly claim: Claim | undefined;
  readonly notBefore_ms: number;
  readonly maybeDone: boolean;
}

export interface VisibleQueue {
  readonly name: string;
  readonly revision: number;
  readonly settings: Settings;
  readonly waiting: number;
  readonly activeByHand: number;
  readonly unsent: number;
  readonly remembered: number;
  readonly lastNumber: number;
  readonly nowServing: number;
  readonly admissions: number;
  readonly budget_millionths: number;
  /** In the order of admission. */
  readonly active: readonly VisibleActive[];
  /** By number, from 1; undefined: forgotten. */
  readonly tickets: readonly (TicketView | undefined)[];
  /** What `byKey` answers for each of the keys asked. */
  readonly keys: readonly ({ number: number; same: boolean } | undefined)[];
}

export interface Visible {
  readonly genesis: string | undefined;
  readonly now_ms: number;
  readonly term: number;
  readonly timekeeper: bigint | undefined;
  readonly sessions: readonly SessionKept[];
  readonly queues: readonly VisibleQueue[];
}

export function visibleOfFold(fold: Fold, keys: readonly Uint8Array[], digest: Uint8Array): Visible {
  return {
    genesis: fold.genesis,
    now_ms: fold.now_ms,
    term: fold.term,
    timekeeper: fold.timekeeper,
    sessions: fold.sessions.entries(),
    queues: [...fold.queues()].map((queue) => ({
      name: queue.name,
      revision: queue.revision,
      settings: queue.settings,
      waiting: queue.waiting,
      activeByHand: queue.activeByHand,
      unsent: queue.unsent,
      remembered: queue.remembered,
      lastNumber: queue.lastNumber,
      nowServing: queue.nowServing,
      admissions: queue.admissions,
      budget_millionths: queue.budget_millionths,
      active: [...queue.activeTickets()].map((active) => ({
        number: active.number,
        admission: active.admission,
        admitted_ms: active.admitted_ms,
        stored: active.stored,
        attempt: active.attempt,
        claim: active.claim,
        notBefore_ms: active.notBefore_ms,
        maybeDone: active.maybeDone,
      })),
      tickets: numbersTo(queue.lastNumber).map((number) => {
        const view = queue.ticket(number);
        const asked = queue.position(number);
        // The two ways to ask for a place agree, or the view is shown as it should not be.
        return view?.position === asked ? view : { ...view!, position: asked };
      }),
      keys: keys.map((key) => queue.byKey(key, digest)),
    })),
  };
}

export function visibleOfReference(
  reference: Reference,
  keys: readonly Uint8Array[],
  digest: Uint8Array,
): Visible {
  const asked = Buffer.from(digest).toString("hex");
  return {
    genesis: reference.genesis,
    now_ms: reference.now_ms,
    term: reference.term,
    timekeeper: reference.timekeeper,
    sessions: reference.sessions,
    queues: reference.queues.map((queue) => ({
      name: queue.name,
      revision: queue.revision,
      settings: queue.settings,
      waiting: queue.waiting().length,
      activeByHand: queue.active.filter(({ stored }) => !stored).length,
      unsent: queue.active.filter(({ stored, claim, reached }) => stored && claim === undefined && !reached)
        .length,
      remembered: queue.ended.length,
      lastNumber: queue.issued,
      nowServing: queue.nowServing,
      admissions: queue.admissions,
      budget_millionths: queue.budget,
      active: queue.active.map((ticket) => ({
        number: ticket.number,
        admission: ticket.admission!,
        admitted_ms: ticket.admitted_ms!,
        stored: ticket.stored,
        attempt: ticket.claims,
        claim: ticket.claim,
        notBefore_ms: ticket.notBefore_ms,
        maybeDone: ticket.maybeDone,
      })),
      tickets: byNumber(queue.views(), queue.issued),
      keys: keys.map((key) => {
        const hex = Buffer.from(key).toString("hex");
        const ticket = queue.tickets.find((other) => other.key === hex);
        return ticket && { number: ticket.number, same: ticket.digest === asked };
      }),
    })),
  };
}

function byNumber(views: readonly TicketView[], last: number): (TicketView | undefined)[] {
  const all = new Map(views.map((view) => [view.number, view]));
  return numbersTo(last).map((number) => all.get(number));
}

function numbersTo(last: number): number[] {
  return Array.from({ length: last }, (_, at) => at + 1);
}
