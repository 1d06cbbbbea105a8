// Judges a run by what it left: the clients' history, the service's, and the whole log. A pure function: the same
// evidence, the same verdict. The names are those of the project's list of invariants.
//
//   case.ts       the evidence, put together            identity.ts   I1 to I6: which ticket is whose
//   folded.ts     the log as the shipped fold reads it   order.ts      I7, I8, I11, I12: who comes when
//   naive.ts      the log, read by other code            limits.ts     I9, I10, I16, I17: how many, and how soon
//   figures.ts    what clients saw, and how long         requests.ts   I13 to I15: what becomes of stored requests
//                 nothing went on                        replicas.ts   I18: every node has the same queue

import { type Case, caseOf, type Evidence } from "./case.ts";
import { type Figures, figuresOf } from "./figures.ts";
import type { FoldClass } from "./folded.ts";
import {
  acknowledgedIsThere,
  neverRenumbered,
  oneTicketAKey,
  oneTicketANumber,
  refusedLeftNothing,
  withoutGaps,
} from "./identity.ts";
import { headMoves, neverTooMany, oneSlotOnce, timeIsCountedOnce, withinBudget } from "./limits.ts";
import { admittedOnce, firstComeFirst, neverBackwards, zeroIsAdmitted } from "./order.ts";
import { everyNodeTheSame } from "./replicas.ts";
import { claimedBeforeSent, endsInOneWay, sentAgainOnlyIf } from "./requests.ts";

export type { Evidence } from "./case.ts";
export type { Figures } from "./figures.ts";

interface Check {
  readonly says: string;
  /** What is wrong, in words, one for each case of it. */
  readonly of: (found: Case) => string[];
}

export const CHECKS = {
  I1: { says: "no two acknowledged tickets share a number", of: oneTicketANumber },
  I2: { says: "every acknowledged ticket is in the log, as it was acknowledged", of: acknowledgedIsThere },
  I3: { says: "the same key is the same ticket", of: oneTicketAKey },
  I4: { says: "what was refused left nothing, what is unknown one at most", of: refusedLeftNothing },
  I5: { says: "nobody is renumbered, and no entry of the log changes", of: neverRenumbered },
  I6: { says: "numbers go up by one, without gaps", of: withoutGaps },
  I7: { says: "whoever is admitted, everybody before was admitted or ended", of: firstComeFirst },
  I8: { says: "a ticket is admitted once at most, and never goes back", of: admittedOnce },
  I9: { says: "nobody is admitted while active ≥ max_active", of: neverTooMany },
  I10: {
    says: "admissions by budget stay within rate × time + one burst",
    of: (found) => [...withinBudget(found), ...timeIsCountedOnce(found)],
  },
  I11: { says: "a position never rises for who echoes what they saw", of: neverBackwards },
  I12: { says: "position 0 if and only if admitted and not ended", of: zeroIsAdmitted },
  I13: { says: "a request is sent again only if surely not carried out, or idempotent", of: sentAgainOnlyIf },
  I14: { says: "a stored request ends in exactly one way, and is told so", of: endsInOneWay },
  I15: { says: "nothing reaches the service without a claim", of: claimedBeforeSent },
  I16: { says: "an ended ticket frees one slot, once", of: oneSlotOnce },
  I17: { says: "the head moves again once nothing is broken", of: headMoves },
  I18: { says: "every node has the same queue", of: everyNodeTheSame },
} as const satisfies Record<string, Check>;

export type CheckName = keyof typeof CHECKS;

export interface Report {
  /** What is wrong, by check; only those that something is wrong with. */
  readonly violations: ReadonlyMap<CheckName, readonly string[]>;
  readonly figures: Figures;
}

/** `FoldToUse`: the shipped one; tests give one that has a fault. */
export function check(evidence: Evidence, FoldToUse?: FoldClass): Report {
  const found = caseOf(evidence, FoldToUse);
  const names = Object.keys(CHECKS) as CheckName[];
  const violations = names
    .map((name) => [name, CHECKS[name].of(found)] as const)
    .filter(([, said]) => said.length > 0);
  return { violations: new Map(violations), figures: figuresOf(found) };
}
