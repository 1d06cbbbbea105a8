// Histories of bursts as they might really have gone, for the checker's tests: simulated, seeded, and small.
//
// A history is a set of drafts, which tests change; `render` then makes the two files of it, with lines, requests and
// counts in flight numbered so that nothing but the change shows.

import type { Evidence, Limit } from "../src/burst/checker.ts";
import type { BuyersLine, EndLine, RequestLine, StartLine, Unnumbered } from "../src/lines.ts";
import { Random } from "../src/random.ts";

export const limit: Limit = { rate_per_second: 20, max_active: 5 };

export type RequestDraft = Omit<RequestLine, "line" | "request" | "in_flight" | "in_flight_max">;
export type EventDraft = Unnumbered<Exclude<BuyersLine, StartLine | EndLine>>;

export interface HistoryDraft {
  buyers: number;
  requests: RequestDraft[];
  events: EventDraft[];
}

const start_ms = 1_795_000_000_000;
const service_ms = 200;
const poll_ms = 1_000;

interface Place {
  readonly buyer: number;
  readonly key: string;
  readonly sent_ms: number;
  /** 0: straight through. */
  readonly number: number;
}

/** Buyers who come within a third of a second to a room that lets through what it may, in order. `killed`: it is killed on the
 * way, and what is at the shop just then ends as unknown. */
export function simulate(buyers: number, seed: number, killed = false): HistoryDraft {
  const random = new Random(seed);
  const draft: HistoryDraft = { buyers, requests: [], events: [] };
  const sent = Array.from({ length: buyers }, () => random.between(0, 300)).sort((one, other) => one - other);
  const places = sent.map(
    (offset_ms, index): Place => ({
      buyer: index + 1,
      key: `key-${seed}-${index + 1}`,
      sent_ms: start_ms + offset_ms + index * 0.01,
      number: Math.max(0, index + 1 - straightThrough),
    }),
  );
  const served = serve(places, random);
  const middle = served[Math.floor(buyers / 2)]!;
  const kill_ms = killed ? middle.arrived_ms + service_ms / 2 : Number.POSITIVE_INFINITY;
  for (const place of served) story(draft, place, kill_ms, random);
  draft.events.sort((one, other) => one.at_ms - other.at_ms);
  return draft;
}

/** The first few find room, and nobody waiting. */
const straightThrough = 4;

interface Served extends Place {
  readonly arrived_ms: number;
  readonly ended_ms: number;
}

/** Whoever is next arrives when the rate and the room allow it, a little late or early on the way. */
function serve(places: readonly Place[], random: Random): Served[] {
  let free_ms = 0;
  const served: Served[] = [];
  for (const place of places) {
    const room_ms = served.at(-limit.max_active)?.ended_ms ?? 0;
    const arrived_ms = Math.max(place.sent_ms + 5, free_ms, room_ms + 1) + random.between(0, 2);
    free_ms = arrived_ms + 1_000 / limit.rate_per_second;
    served.push({ ...place, arrived_ms, ended_ms: arrived_ms + service_ms * random.between(0.8, 1.2) });
  }
  return served;
}

function story(draft: HistoryDraft, place: Served, kill_ms: number, random: Random): void {
  const { buyer, key, sent_ms, number, arrived_ms, ended_ms } = place;
  const unknown = arrived_ms < kill_ms && ended_ms > kill_ms;
  const up_ms = kill_ms + 500;
  const late_ms = arrived_ms > kill_ms && Number.isFinite(kill_ms) ? 600 : 0;
  const purchase = `p-${buyer}`;
  const seats = [buyer];
  draft.requests.push({
    kind: "request",
    arrived_ms: arrived_ms + late_ms,
    ended_ms: ended_ms + late_ms,
    method: "POST",
    path: "/api/purchases",
    key,
    buyer: `buyer ${buyer}`,
    ticket: number === 0 ? null : number,
    status: 201,
    purchase,
    seats,
    replay: false,
  });
  const events: EventDraft[] = draft.events;
  const plain = { ticket: number || null, position: null, problem: null, purchase: null, seats: [] };
  const sale = { ...plain, status: 201, purchase, seats };
  let at_ms = sent_ms;
  let request = 1;
  events.push({ kind: "scheduled", at_ms: start_ms - 10 + buyer * 0.01, buyer, due_ms: sent_ms, key });
  events.push({ kind: "sent", at_ms, buyer, request, to: "purchase" });
  if (number === 0) {
    at_ms = ended_ms + 3;
    events.push({ kind: "answer", at_ms, buyer, request, to: "purchase", ...sale, ticket: null });
    events.push({ kind: "outcome", at_ms: at_ms + 0.1, buyer, outcome: "answered", status: 201, purchase });
    return;
  }
  at_ms += random.between(5, 20);
  events.push({
    kind: "answer",
    at_ms,
    buyer,
    request,
    to: "purchase",
    ...plain,
    status: 202,
    position: number,
  });
  events.push({ kind: "ticketed", at_ms: at_ms + 0.1, buyer, request, number, id: `purchases:e:${number}` });
  for (;;) {
    events.push({ kind: "retry", at_ms: at_ms + 0.2, buyer, request, after_ms: poll_ms });
    at_ms += poll_ms + random.between(0, 3);
    request++;
    if (at_ms > kill_ms && at_ms < up_ms) {
      events.push({ kind: "broken", at_ms, buyer, request, to: "ticket", error: "ECONNREFUSED" });
      continue;
    }
    events.push({ kind: "sent", at_ms, buyer, request, to: "ticket" });
    at_ms += random.between(1, 4);
    const answer = { kind: "answer", at_ms, buyer, request, to: "ticket", ...plain } as const;
    if (unknown && at_ms > up_ms) {
      events.push({ ...answer, status: 504, problem: "urn:usher:problem:request_unknown" });
      const outcome = { kind: "outcome", at_ms: at_ms + 0.1, buyer, outcome: "unknown" } as const;
      events.push({ ...outcome, status: 504, purchase: null });
      return;
    }
    if (at_ms > ended_ms + late_ms && !unknown) break;
    events.push({ ...answer, status: 200, position: 1 });
  }
  events.push({ kind: "answer", at_ms: at_ms + 0.1, buyer, request, to: "ticket", ...plain, status: 303 });
  request++;
  events.push({ kind: "sent", at_ms: at_ms + 0.2, buyer, request, to: "response" });
  events.push({ kind: "answer", at_ms: at_ms + 2, buyer, request, to: "response", ...sale });
  events.push({ kind: "outcome", at_ms: at_ms + 2.1, buyer, outcome: "answered", status: 201, purchase });
}

/** The files that such a history leaves. Events happen one after another, so equal times are set a microsecond apart,
 * in the drafts' order. */
export function render(draft: HistoryDraft): Evidence {
  const arrivals = draft.requests.toSorted((one, other) => one.arrived_ms - other.arrived_ms);
  const requests = arrivals.map((request, index) => {
    const before = arrivals.slice(0, index + 1);
    const ended = before.filter(({ ended_ms }) => ended_ms !== null && ended_ms < request.arrived_ms);
    return { ...request, request: index + 1, in_flight: before.length - ended.length, in_flight_max: 0 };
  });
  let most = 0;
  for (const request of requests) {
    most = Math.max(most, request.in_flight);
    request.in_flight_max = most;
  }
  requests.sort((one, other) => (one.ended_ms ?? Infinity) - (other.ended_ms ?? Infinity));
  return {
    shop: file(requests, {}),
    buyers: file(spread(draft.events), { buyers: draft.buyers }),
  };
}

function spread(events: readonly EventDraft[]): EventDraft[] {
  let last_us = 0;
  return events.map((event) => {
    last_us = Math.max(Math.round(event.at_ms * 1000), last_us + 1);
    return { ...event, at_ms: last_us / 1000 };
  });
}

function file(lines: readonly object[], options: Record<string, number>): string[] {
  const whole = [
    { kind: "start", at_ms: start_ms - 1_000, options },
    ...lines,
    { kind: "end", at_ms: start_ms + 3_600_000, dropped: 0 },
  ];
  return whole.map((line, index) => JSON.stringify({ line: index + 1, ...line }));
}
