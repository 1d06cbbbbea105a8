// I7, I8, I11, I12: who comes when, and where each one stands.

import { type Case, nameOf, type Sighting } from "./case.ts";
import { byHolder } from "./identity.ts";

export function firstComeFirst({ folded }: Case): string[] {
  const lines = new Map<string, Set<number>>();
  return folded.steps.flatMap(({ offset, record: { event }, outcome, changes }) => {
    const said: string[] = [];
    if (event.kind === "ticket_issued" && outcome.kind === "issued" && !outcome.existing) {
      const line = lines.get(event.queue) ?? new Set();
      lines.set(event.queue, line.add(outcome.number));
    }
    const named = event.kind === "admit_requested" && "number" in event.who ? event.who.number : undefined;
    for (const { kind, queue, number } of changes) {
      if (kind !== "admitted" && kind !== "ended") continue;
      const line = lines.get(queue) ?? new Set<number>();
      // A Set keeps the order of the numbers.
      const [first] = line;
      line.delete(number);
      if (kind === "ended" || number === named || number === first) continue;
      said.push(`${queue}/${number} was admitted at ${offset}, before ${queue}/${first}`);
    }
    return said;
  });
}

export function admittedOnce(found: Case): string[] {
  const admitted = new Map<string, number>();
  const inLog = found.folded.steps.flatMap(({ offset, changes }) =>
    changes
      .filter(({ kind }) => kind === "admitted")
      .flatMap((change) => {
        const name = nameOf(change);
        const before = admitted.get(name);
        admitted.set(name, offset);
        return before === undefined ? [] : [`${name} was admitted at ${before} and at ${offset}`];
      }),
  );
  return [...inLog, ...admittedByTwo(found), ...wentBack(found)];
}

/** No ticket is among those that two different requests of Admit admitted. */
function admittedByTwo({ calls }: Case): string[] {
  const admitters = new Map<string, Set<string>>();
  for (const { began, ended } of calls) {
    if (began.op !== "admit" || ended?.told !== "ok") continue;
    for (const number of ended.numbers ?? []) {
      const name = nameOf({ queue: began.queue, number });
      admitters.set(name, (admitters.get(name) ?? new Set()).add(began.request_id ?? ""));
    }
  }
  return [...admitters].flatMap(([name, ids]) =>
    ids.size > 1 ? [`${name} was admitted by the requests ${[...ids].join(" and ")}`] : [],
  );
}

const STAGES = { waiting: 0, admitted: 1, completed: 2, left: 2, expired: 2 } as const;

/** Nobody who echoes what was seen is shown an earlier stage of life than before, or another end. */
function wentBack(found: Case): string[] {
  return echoes(found).flatMap(([before, after]) => {
    const [one, other] = [before.seen, after.seen];
    const back = STAGES[other.state] < STAGES[one.state];
    const another = STAGES[one.state] === 2 && one.state !== other.state;
    return back || another
      ? [`${nameOf(one)} was shown ${one.state} (call ${before.call.began.call}), then ${other.state}`]
      : [];
  });
}

export function neverBackwards(found: Case): string[] {
  return echoes(found).flatMap(([before, after]) => {
    const [one, other] = [before.seen, after.seen];
    const name = `${nameOf(one)} (call ${after.call.began.call})`;
    if (other.as_of < one.as_of && !other.stale)
      return [`${name} was shown the queue at ${other.as_of}, after it had seen ${one.as_of}`];
    return one.position !== undefined && other.position !== undefined && other.position > one.position
      ? [`${name} was shown place ${other.position} after ${one.position}`]
      : [];
  });
}

/** Pairs of sightings of which the second was told to somebody who had said that they saw the first. */
function echoes(found: Case): [Sighting, Sighting][] {
  return [...byHolder(found).values()].flatMap((all) =>
    all.slice(1).flatMap((after, at): [Sighting, Sighting][] => {
      const before = all[at] as Sighting;
      const sameStream = before.call === after.call;
      return sameStream || (after.call.began.as_of ?? -1) >= before.seen.as_of ? [[before, after]] : [];
    }),
  );
}

/** A place is 0 if and only if the ticket is admitted and has not ended: as it is shown, and as the log has it there. */
export function zeroIsAdmitted({ sightings, folded }: Case): string[] {
  return sightings.flatMap(({ seen, call }) => {
    const name = `${nameOf(seen)} (call ${call.began.call})`;
    const { state, position, as_of } = seen;
    const right =
      state === "admitted"
        ? position === 0
        : state === "waiting"
          ? position !== undefined && position > 0
          : position === undefined;
    if (!right) return [`${name} was shown ${state} at place ${position ?? "none"}`];
    const stood = folded.stood.get(seen)?.state;
    return (position === 0) === (stood === "admitted")
      ? []
      : [
          `${name} was shown place ${position ?? "none"} at ${as_of}, where the log has it ${stood ?? "nowhere"}`,
        ];
  });
}
