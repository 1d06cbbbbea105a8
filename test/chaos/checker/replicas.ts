// I18: every node has the same queue. What a node showed of a ticket, of a queue, or of its whole state, at a place in
// the log, is what folding the log up to there gives.

import { isDeepStrictEqual } from "node:util";
import { type Case, nameOf } from "./case.ts";

export function everyNodeTheSame(found: Case): string[] {
  return [...shownAsFolded(found), ...countedAsFolded(found), ...stateAsFolded(found), ...sameTime(found)];
}

function shownAsFolded({ sightings, folded }: Case): string[] {
  return sightings.flatMap(({ seen, call }) => {
    if (seen.as_of > folded.end) return [];
    const { began } = call;
    const stood = folded.stood.get(seen);
    const name = `${nameOf(seen)}, shown by ${began.node} at ${seen.as_of} (call ${began.call}),`;
    if (stood === undefined) return [`${name} is not in the log there`];
    const shown = [seen.state, seen.request, seen.position];
    const folds = [stood.state, stood.request, stood.position];
    return shown.every((value, at) => value === folds[at])
      ? []
      : [`${name} was ${words(shown)}, and is ${words(folds)} in the log there`];
  });
}

function words([state, request, position]: readonly (string | number | undefined)[]): string {
  return `${state}${request === undefined ? "" : ` (${request})`}${position === undefined ? "" : ` at place ${position}`}`;
}

function countedAsFolded({ calls, folded }: Case): string[] {
  return calls.flatMap(({ began, ended }) => {
    const { counted } = ended ?? {};
    if (counted === undefined || counted.as_of > folded.end) return [];
    const { as_of, ...shown } = counted;
    const folds = folded.counts.get(counted);
    return isDeepStrictEqual(shown, folds)
      ? []
      : [
          `${began.node} counted ${JSON.stringify(shown)} at ${as_of}; in the log it is ${JSON.stringify(folds)}`,
        ];
  });
}

function stateAsFolded({ calls, folded }: Case): string[] {
  return calls.flatMap(({ began, ended }) => {
    const { stated } = ended ?? {};
    if (stated === undefined || stated.as_of > folded.end) return [];
    return stated.digest === folded.digests.get(stated)
      ? []
      : [`node ${began.node} is in another state at ${stated.as_of} than the log gives (call ${began.call})`];
  });
}

/** The fold's log time is the one that is counted by hand. */
function sameTime({ folded, naive }: Case): string[] {
  const apart = folded.steps.find(({ at, now_ms }) => naive.steps[at]?.now_ms !== now_ms);
  return apart === undefined
    ? []
    : [
        `log time at ${apart.offset} is ${apart.now_ms} to the fold; by counting, ${naive.steps[apart.at]?.now_ms}`,
      ];
}
