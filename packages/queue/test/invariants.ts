// What must hold of every log's fold, whatever the log: each check reads a trace and tells what is wrong in it, or
// nothing. The names are those of the project's list of invariants; those that one log cannot show are not here.
//
//   identity.ts   I1, I3, I5, I6       which ticket is whose, and its number
//   order.ts      I7, I8, I11, I12     who comes when, and where each one stands
//   limits.ts     I9, I10, I16, I17    never more than the limits let in, and never less than they would
//   requests.ts   I13, I14             what becomes of stored requests
//   effects.ts    I4, I18              what has no effect has none, and the same records have the same

import { refusalLeavesNothing, replaysTheSame } from "./invariants/effects.ts";
import { noGaps, oneGenesis, oneNumberATicket, sameIsSame } from "./invariants/identity.ts";
import { headMoves, neverTooMany, oneSlotOnce, withinBudget } from "./invariants/limits.ts";
import { finalStatesAbsorb, firstComeFirst, positionNeverRises, zeroIsAdmitted } from "./invariants/order.ts";
import { endsInOneWay, sentAgainOnlyIf } from "./invariants/requests.ts";
import type { Verdict } from "./invariants/verdict.ts";
import { type QueueStep, queueSteps, type Trace } from "./trace.ts";

export interface Invariant {
  readonly says: string;
  readonly check: (trace: Trace) => Verdict;
}

export const INVARIANTS = {
  I1: {
    says: "an issued ticket is one number, and no two tickets share one",
    check: eachQueue(oneNumberATicket),
  },
  I3: {
    says: "the same key is the same ticket, and a subject has one live one",
    check: eachQueue(sameIsSame),
  },
  I4: { says: "what was refused or ignored left nothing", check: refusalLeavesNothing },
  I5: { says: "another genesis changes nothing", check: oneGenesis },
  I6: { says: "numbers go up by one, without gaps", check: eachQueue(noGaps) },
  I7: {
    says: "whoever is admitted, everybody before was admitted or ended",
    check: eachQueue(firstComeFirst),
  },
  I8: {
    says: "a ticket is admitted once at most, and stays ended; but what has failed an operator may take up again",
    check: eachQueue(finalStatesAbsorb),
  },
  I9: { says: "nobody is admitted while active ≥ max_active", check: eachQueue(neverTooMany) },
  I10: { says: "admissions by budget stay within rate × time + one burst", check: eachQueue(withinBudget) },
  I11: { says: "a position never rises", check: eachQueue(positionNeverRises) },
  I12: { says: "position 0 if and only if admitted and not ended", check: eachQueue(zeroIsAdmitted) },
  I13: {
    says: "a request is sent again only if surely not done, or idempotent",
    check: eachQueue(sentAgainOnlyIf),
  },
  I14: { says: "a stored request ends in exactly one way", check: eachQueue(endsInOneWay) },
  I16: { says: "an ended ticket frees one slot, once", check: eachQueue(oneSlotOnce) },
  I17: { says: "whoever may go goes, so the head moves in bounded time", check: eachQueue(headMoves) },
  I18: { says: "folding the log once more gives the same", check: replaysTheSame },
} as const satisfies Record<string, Invariant>;

export type InvariantName = keyof typeof INVARIANTS;

function eachQueue(check: (steps: readonly QueueStep[]) => Verdict): (trace: Trace) => Verdict {
  return (trace) => {
    for (const steps of queueSteps(trace)) {
      const verdict = check(steps);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  };
}
