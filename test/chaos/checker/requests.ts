// I13 to I15: what becomes of stored requests, in the log and at the service.

import type { TicketView } from "@usher/queue";
import { type Arrival, type Case, nameOf } from "./case.ts";
import type { Step } from "./folded.ts";

/** By how much a clock on the wall may seem to go back between two processes, in milliseconds: its grain. */
const GRAIN_MS = 2;

/** What reached the service for each ticket, in the order in which it did. */
function byTicket({ arrivals }: Case): Map<string, Arrival[]> {
  const stored = arrivals.filter(({ arrived }) => arrived.ticket !== undefined);
  return Map.groupBy(stored, ({ arrived }) => nameOf({ queue: arrived.queue, number: arrived.ticket ?? 0 }));
}

/** The service has said that it did not carry it out. */
function refusedByService({ answered }: Arrival): boolean {
  return answered?.status === 429 || answered?.status === 503;
}

export function sentAgainOnlyIf(found: Case): string[] {
  const again = [...byTicket(found)].flatMap(([name, all]) =>
    all.slice(0, -1).flatMap((arrival) => {
      const { arrived, answered } = arrival;
      return arrived.idempotent || refusedByService(arrival)
        ? []
        : [
            `${name} was sent again after arrival ${arrived.arrival}, which is ${answered?.status ?? "not answered"}`,
          ];
    }),
  );
  return [...again, ...calledFailed(found)];
}

/** What may have been carried out is not called failed. */
function calledFailed(found: Case): string[] {
  return [...byTicket(found)].flatMap(([name, all]) =>
    endOf(found, name)?.request === "failed" && !all.every(refusedByService)
      ? [`${name} is called failed, and the service may have carried it out`]
      : [],
  );
}

function endOf({ folded }: Case, name: string): TicketView | undefined {
  const [queue = "", number] = name.split("/");
  return folded.fold.queue(queue)?.ticket(Number(number));
}

export function endsInOneWay(found: Case): string[] {
  const stored = found.naive.queues
    .flatMap((queue) => found.naive.tickets(queue))
    .filter((one) => one.stored);
  const ends = stored.flatMap((ticket) => {
    const name = nameOf(ticket);
    const view = endOf(found, name);
    const end = view?.state === "completed" ? view.request : view?.state;
    return end === "answered" || end === "failed" || end === "unknown" || end === "left" || end === "expired"
      ? []
      : [
          `${name} has a stored request, and is ${view === undefined ? "gone" : `${view.state} (${view.request})`}`,
        ];
  });
  return [...ends, ...answeredByService(found), ...toldAsItEnded(found)];
}

/** What is called answered is what the service answered. */
function answeredByService(found: Case): string[] {
  return [...byTicket(found)].flatMap(([name, all]) => {
    const view = endOf(found, name);
    if (view?.request !== "answered") return [];
    return all.some(({ answered }) => answered?.status === view.status)
      ? []
      : [`${name} is called answered with ${view.status}, which the service never answered`];
  });
}

/** What holders were told of the end is what it was; unknown may have become answered. */
function toldAsItEnded(found: Case): string[] {
  return found.calls.flatMap(({ began, ended }) => {
    const number = ended?.seen?.number ?? ended?.number;
    const said: string[] = [];
    const { answer } = ended ?? {};
    if (answer !== undefined && began.wish !== undefined && answer.wish !== began.wish)
      said.push(`call ${began.call} for wish ${began.wish} was given the answer to ${answer.wish}`);
    if (ended?.end === undefined || number === undefined) return said;
    if (ended.reason === "response_gone") said.push(`the answer to ${began.queue}/${number} was gone`);
    const name = nameOf({ queue: began.queue, number });
    const view = endOf(found, name);
    const end = view?.state === "completed" ? view.request : view?.state;
    const settled = ended.end === "unknown" && end === "answered";
    if (ended.end !== end && !settled)
      said.push(`${name} was told to have ended ${ended.end} (call ${began.call}), and is ${end}`);
    return said;
  });
}

/** A claim that counted: by the clocks on the wall of who wrote the records, from when to when. */
interface Claim {
  readonly from_ms: number;
  to_ms: number;
}

function claimsOf(steps: readonly Step[]): Map<string, Claim[]> {
  const claims = new Map<string, Claim[]>();
  for (const { record, outcome, changes } of steps) {
    const { event, wall_ms } = record;
    if (event.kind === "dispatch_claimed" && outcome.kind === "applied") {
      const name = nameOf(event);
      claims.set(name, [...(claims.get(name) ?? []), { from_ms: wall_ms, to_ms: Number.POSITIVE_INFINITY }]);
    }
    for (const change of changes) {
      const claim = claims.get(nameOf(change))?.at(-1);
      const over = change.kind === "released" || change.kind === "ended";
      if (claim !== undefined && over) claim.to_ms = Math.min(claim.to_ms, wall_ms);
    }
  }
  return claims;
}

/** Each request that carried a ticket reached the service under a claim of its own, while that was in force; in a queue
 * where nobody goes straight through, each carried one. */
export function claimedBeforeSent(found: Case): string[] {
  const claims = claimsOf(found.folded.steps);
  const unclaimed = [...byTicket(found)].flatMap(([name, all]) => {
    const open = [...(claims.get(name) ?? [])];
    return all.flatMap(({ arrived: { arrival, at_ms } }) => {
      const at = open.findLastIndex(({ from_ms }) => from_ms <= at_ms + GRAIN_MS);
      const [claim] = at < 0 ? [] : open.splice(at, 1);
      if (claim === undefined) return [`${name} reached the service (arrival ${arrival}) without a claim`];
      const late_ms = at_ms - claim.to_ms;
      return late_ms > GRAIN_MS
        ? [`${name} reached the service (arrival ${arrival}) ${late_ms} ms after its claim had ended`]
        : [];
    });
  });
  const straight = found.arrivals
    .filter(({ arrived }) => arrived.ticket === undefined && !mayGoStraight(found, arrived.queue))
    .map(({ arrived }) => `arrival ${arrived.arrival} reached the service past the queue ${arrived.queue}`);
  return [...unclaimed, ...straight];
}

function mayGoStraight({ folded }: Case, queue: string): boolean {
  return folded.fold.queue(queue)?.settings.mode === "auto";
}
