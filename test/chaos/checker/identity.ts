// I1 to I6: which ticket is whose, and its number.

import { type Call, type Case, nameOf, type Sighting } from "./case.ts";
import { epochOf } from "./epoch.ts";

/** A ticket that a client was given: by an Issue, or by a request that was stored. */
interface Acknowledged {
  readonly call: Call;
  readonly name: string;
  readonly queue: string;
  readonly number: number;
}

function acknowledged({ calls }: Case): Acknowledged[] {
  return calls.flatMap((call) => {
    const { began, ended } = call;
    if ((began.op !== "issue" && began.op !== "request") || ended?.told !== "ok") return [];
    const number = ended.seen?.number ?? ended.number;
    if (number === undefined) return [];
    const { queue } = began;
    return [{ call, queue, number, name: nameOf({ queue, number }) }];
  });
}

/** Whoever asks without a key asks for another ticket each time. */
function wisher({ began }: Call): string {
  return began.key === undefined ? `call ${began.call}, without a key` : `the key ${began.key}`;
}

export function oneTicketANumber(found: Case): string[] {
  const holders = Map.groupBy(acknowledged(found), ({ name }) => name);
  return [...holders].flatMap(([name, all]) => {
    const wishers = new Set(all.map(({ call }) => wisher(call)));
    return wishers.size > 1 ? [`${name} was given to ${[...wishers].join(" and to ")}`] : [];
  });
}

export function acknowledgedIsThere(found: Case): string[] {
  const lost = acknowledged(found).flatMap(({ call, queue, number, name }) => {
    const ticket = found.naive.ticket(queue, number);
    if (ticket === undefined)
      return [`${name} was acknowledged (call ${call.began.call}) and is not in the log`];
    return ticket.key === call.began.key
      ? []
      : [`${name} was acknowledged to ${wisher(call)}, and is in the log under ${ticket.key ?? "no key"}`];
  });
  const ahead = found.sightings
    .filter(({ seen }) => seen.as_of > found.folded.end)
    .map(
      ({ seen, call }) =>
        `call ${call.began.call} was told of ${seen.as_of} in the log, which ends at ${found.folded.end}`,
    );
  return [...lost, ...ahead];
}

export function oneTicketAKey(found: Case): string[] {
  const keyed = acknowledged(found).filter(({ call }) => call.began.key !== undefined);
  const byKey = Map.groupBy(keyed, ({ call, queue }) => `${queue} ${call.began.key}`);
  const numbers = [...byKey].flatMap(([key, all]) => {
    const names = new Set(all.map(({ name }) => name));
    return names.size > 1 ? [`the key ${key} has ${[...names].join(" and ")}`] : [];
  });
  return [...numbers, ...oneTicketAWish(found), ...sameAdmit(found)];
}

/** The service was not sent one wish under two tickets. */
function oneTicketAWish({ arrivals }: Case): string[] {
  const stored = arrivals.filter(({ arrived }) => arrived.ticket !== undefined);
  const byWish = Map.groupBy(stored, ({ arrived }) => arrived.wish);
  return [...byWish].flatMap(([wish, all]) => {
    const tickets = new Set(all.map(({ arrived }) => `${arrived.queue}/${arrived.ticket}`));
    return tickets.size > 1 ? [`wish ${wish} reached the service as ${[...tickets].join(" and ")}`] : [];
  });
}

/** The same request id admitted the same tickets, whenever it was told. */
function sameAdmit({ calls }: Case): string[] {
  const told = calls.filter(({ began, ended }) => began.op === "admit" && ended?.told === "ok");
  return [...Map.groupBy(told, ({ began }) => began.request_id)].flatMap(([id, all]) => {
    const answers = new Set(all.map(({ ended }) => ended?.numbers?.join() ?? ""));
    return answers.size > 1 ? [`Admit ${id} was told ${[...answers].join(" and ")}`] : [];
  });
}

export function refusedLeftNothing(found: Case): string[] {
  const asked = found.calls.filter(({ began }) => began.op === "issue" || began.op === "request");
  const refused = (call: Call) => call.ended?.told === "refused";
  const keyed = asked.filter(({ began }) => began.key !== undefined);
  const byKey = Map.groupBy(keyed, ({ began }) => `${began.queue} ${began.key}`);
  const keys = [...byKey.values()].flatMap((all) => {
    const [{ began }] = all as [Call];
    const ticket = found.naive.byKey(began.queue, began.key ?? "");
    return all.every(refused) && ticket !== undefined
      ? [`the key ${began.key} was refused whenever it came, and has ${nameOf(ticket)}`]
      : [];
  });
  const wishes = Map.groupBy(
    asked.filter(({ began }) => began.wish !== undefined),
    ({ began }) => began.wish,
  );
  const arrived = new Set(found.arrivals.map(({ arrived }) => arrived.wish));
  const sent = [...wishes].flatMap(([wish = "", all]) =>
    all.every(refused) && arrived.has(wish)
      ? [`wish ${wish} was refused whenever it came, and reached the service`]
      : [],
  );
  return [...keys, ...sent, ...keylessCount(found, asked)];
}

/** Of calls without a key, each that was acknowledged made one ticket, and each unknown one at most. */
function keylessCount({ naive }: Case, asked: readonly Call[]): string[] {
  const keyless = asked.filter(({ began }) => began.key === undefined);
  return naive.queues.flatMap((queue) => {
    const calls = keyless.filter(({ began }) => began.queue === queue);
    const straight = (call: Call) => call.ended?.seen === undefined && call.ended?.number === undefined;
    const sure = calls.filter((call) => call.ended?.told === "ok" && !straight(call)).length;
    const open = calls.filter(({ ended }) => ended === undefined || ended.told === "unknown").length;
    const there = naive.tickets(queue).filter(({ key }) => key === undefined).length;
    return there >= sure && there <= sure + open
      ? []
      : [
          `${queue} has ${there} tickets without a key: ${sure} were acknowledged, and ${open} calls are unknown`,
        ];
  });
}

export function neverRenumbered(found: Case): string[] {
  const epoch = epochOf(found.naive.genesis ?? "");
  const strange = found.sightings
    .filter(({ seen }) => seen.epoch !== epoch)
    .map(({ seen, call }) => `call ${call.began.call} was shown epoch ${seen.epoch}; the log's is ${epoch}`);
  const holders = Map.groupBy(found.sightings, ({ call }) => call.began.client);
  const renumbered = [...holders].flatMap(([client, all]) => {
    const names = new Set(all.map(({ seen }) => nameOf(seen)));
    return names.size > 1 ? [`${client} holds one ticket, and was shown ${[...names].join(" and ")}`] : [];
  });
  return [...strange, ...renumbered, ...changedEntries(found)];
}

/** What was read at an offset once is there for ever. */
function changedEntries({ evidence: { log, earlier } }: Case): string[] {
  const now = new Map(log.map((entry) => [entry.offset, entry]));
  return earlier.flatMap((entries) =>
    entries
      .filter(({ offset, value }) => !Buffer.from(now.get(offset)?.value ?? []).equals(value))
      .map(({ offset }) =>
        now.has(offset)
          ? `the log's entry ${offset} is not what it was`
          : `the log's entry ${offset} is gone`,
      ),
  );
}

/** Both readers count the same, without gaps. */
export function withoutGaps({ folded, naive }: Case): string[] {
  const last = new Map<string, number>();
  return folded.steps.flatMap(({ at, offset, record, outcome }) => {
    const { event } = record;
    if (event.kind !== "ticket_issued" || outcome.kind !== "issued") return [];
    const before = last.get(event.queue) ?? 0;
    const said: string[] = [];
    if (!outcome.existing) {
      last.set(event.queue, outcome.number);
      if (outcome.number !== before + 1) said.push(`${event.queue}/${outcome.number} follows ${before}`);
    }
    const counted = naive.steps[at]?.ticket?.number;
    if (counted !== outcome.number)
      said.push(
        `the record at ${offset} is ${event.queue}/${outcome.number} to the fold; by counting, ${counted}`,
      );
    return said;
  });
}

/** A holder's sightings, in the order in which they were told. */
export function byHolder({ sightings }: Case): Map<string, Sighting[]> {
  return Map.groupBy(sightings, ({ call, seen }) => `${call.began.client} ${nameOf(seen)}`);
}
