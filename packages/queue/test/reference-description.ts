// The reference, told whole, by what `src/description.ts` says that there is to tell.

import type { DescribedLog, Part, TicketView } from "../src/index.ts";
import type { Reference } from "./reference.ts";
import type { ReferenceQueue, ReferenceTicket } from "./reference-queue.ts";

export function described(reference: Reference): DescribedLog {
  return {
    describe: () => partsOfLog(reference),
    queues: () => reference.queues.map((queue) => ({ name: queue.name, describe: () => partsOf(queue) })),
  };
}

function partsOfLog({ genesis, now_ms, term, timekeeper, termBegins, sessions, queues }: Reference): Part[] {
  return [
    { kind: "log", id: "", fields: { genesis, now_ms, term, timekeeper, termBegins } },
    ...sessions.map(({ id, ...fields }): Part => ({ kind: "session", id, fields })),
    ...queues.map(({ name }): Part => ({ kind: "queue", id: name, fields: { name } })),
  ];
}

function partsOf(queue: ReferenceQueue): Part[] {
  const { revision, settings, admits, active, ended } = queue;
  return [
    { kind: "settings", id: "", fields: { revision, ...settings } },
    { kind: "state", id: "", fields: stateOf(queue) },
    ...admits.map(({ id, who, ...fields }): Part => ({ kind: "admit", id, fields: { ...who, ...fields } })),
    ...active.map((ticket): Part => ({ kind: "active", id: ticket.number, fields: activeOf(ticket) })),
    ...queue.awaited().map(
      ({ ticket, at_ms }): Part => ({
        kind: "deadline",
        id: ticket.number,
        fields: { at_ms, due: ticket.stored ? "lapse" : "session" },
      }),
    ),
    ...ended.map(({ number, ended_ms }): Part => ({ kind: "ended", id: number, fields: { ended_ms } })),
    ...queue
      .views()
      .map((view): Part => ({ kind: "ticket", id: view.number, fields: ticketOf(queue, view) })),
  ];
}

function stateOf(queue: ReferenceQueue): Part["fields"] {
  const { tickets, active } = queue;
  const unsent = active.filter(({ stored, claim, reached }) => stored && claim === undefined && !reached);
  return {
    now_ms: queue.now_ms,
    waited_ms: queue.waited_ms,
    lastNumber: queue.issued,
    waiting: queue.waiting().length,
    front: queue.waiting()[0]?.number ?? 0,
    active: active.length,
    activeByHand: active.filter(({ stored }) => !stored).length,
    unsent: unsent.length,
    remembered: queue.ended.length,
    keys: tickets.filter(({ key }) => key !== undefined).length,
    aliases: tickets.flatMap(({ aliases }) => aliases).length,
    subjects: tickets.filter((ticket) => ticket.subject !== undefined && isLive(ticket)).length,
    nowServing: queue.nowServing,
    admissions: queue.admissions,
    budget_millionths: queue.budget,
    budgetRate_thousandths: queue.settings.rate_thousandths,
    firstTick: queue.skipsRefill,
    paceSince_ms: queue.paceSince_ms,
    pace: paceOf(queue),
  };
}

/** Of each of the last thirty seconds in which somebody was admitted: which it was, and how many. */
function paceOf({ paceTimes_ms, now_ms }: ReferenceQueue): number[] {
  const now_s = Math.floor(now_ms / 1_000);
  const seconds = paceTimes_ms.map((at_ms) => Math.floor(at_ms / 1_000)).filter((at_s) => at_s > now_s - 30);
  return [...new Set(seconds)].flatMap((second) => [
    second,
    seconds.filter((at_s) => at_s === second).length,
  ]);
}

function activeOf(ticket: ReferenceTicket): Part["fields"] {
  const { admission, admitted_ms, stored, notBefore_ms, reached, maybeDone, claim, session } = ticket;
  return {
    admission,
    admitted_ms,
    since_ms: ticket.retriedWaited_ms ?? ticket.issued_ms,
    stored,
    attempt: ticket.claims,
    spent: ticket.claimsBefore,
    notBefore_ms,
    reached,
    maybeDone,
    claimedBy: claim?.session,
    lapses_ms: claim?.lapses_ms,
    idempotent: claim?.idempotent,
    started_ms: session?.started_ms,
    length_ms: session?.length_ms,
    extensions: session?.extensions,
    ends_ms: session?.ends_ms,
  };
}

function ticketOf(queue: ReferenceQueue, view: TicketView): Part["fields"] {
  const { number, origin, session: _, ...seen } = view;
  const { tickets } = queue;
  const ticket = tickets.find((other) => other.number === number)!;
  const { key, digest, subject, stored, issued_ms, aliases } = ticket;
  const finds = (name: string) => queue.byKey(name)?.ticket.number ?? 0;
  const sameSubject = tickets.find((other) => other.subject === subject && isLive(other));
  return {
    ...seen,
    ...origin,
    issued_ms,
    stored,
    key: words(key),
    digest: key && words(digest),
    keyFinds: key && finds(key),
    subject: words(subject),
    subjectFinds: subject && (sameSubject?.number ?? 0),
    aliases:
      aliases.length === 0
        ? undefined
        : aliases.flatMap((alias) => [...words(alias.key)!, ...words(alias.digest)!, finds(alias.key)]),
  };
}

function isLive({ stage }: ReferenceTicket): boolean {
  return stage === "waiting" || stage === "admitted";
}

/** Bytes in hexadecimal as 32-bit words, the lowest byte first. */
function words(hex: string | undefined): number[] | undefined {
  if (hex === undefined) return undefined;
  const bytes = Buffer.from(hex, "hex");
  return Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readUInt32LE(at * 4));
}
