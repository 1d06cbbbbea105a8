// Histories of bursts as they might really have gone, for the checker's tests: simulated, seeded, and small.
//
// A history is a set of drafts, which tests change; `render` then makes the two files of it, with lines, requests and
// counts in flight numbered so that nothing but the change shows.

import type { Evidence, Limit } from "../src/burst/checker.ts";
import type { BuyersLine, EndLine, RequestLine, StartLine, Unnumbered } from "../src/lines.ts";
import { Random } from "../src/random.ts";

export const limit: Limit = { rate_per_second: 20, max_active: 5 };

/** The same limit, shared by two nodes: 10 a second and 2 at once each. */
export const shared: Limit = { ...limit, nodes: 2 };

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
/** After so long, another node takes over what a dead one has left. */
const takeover_ms = 500;

interface Place {
  readonly buyer: number;
  /** The node that it comes to. */
  readonly taker: number;
  readonly key: string;
  readonly sent_ms: number;
  /** 0: straight through. */
  readonly number: number;
}

/** Buyers who come within a third of a second to a room that lets through what it may, in order. `killed`: it is killed
 * on the way, and what is at the shop just then ends as unknown. `nodes`: of several nodes, to which the buyers come in
 * turn, each lets through its share, and the first is killed; another takes over what it has not sent. */
export function simulate(buyers: number, seed: number, killed = false, nodes = 1): HistoryDraft {
  const random = new Random(seed);
  const draft: HistoryDraft = { buyers, requests: [], events: [] };
  const sent = Array.from({ length: buyers }, () => random.between(0, 300)).sort((one, other) => one - other);
  const places = sent.map(
    (offset_ms, index): Place => ({
      buyer: index + 1,
      taker: (index % nodes) + 1,
      key: `key-${seed}-${index + 1}`,
      sent_ms: start_ms + offset_ms + index * 0.01,
      number: Math.max(0, index + 1 - straightThrough),
    }),
  );
  const undisturbed = serve(places, nodes, Number.POSITIVE_INFINITY, random);
  // Of several, one that the first node sends.
  const middle = undisturbed[Math.floor(buyers / 2 / nodes) * nodes]!;
  const kill_ms = killed ? middle.arrived_ms + service_ms / 2 : Number.POSITIVE_INFINITY;
  const served = killed && nodes > 1 ? serve(places, nodes, kill_ms, random) : undisturbed;
  for (const place of served) story(draft, place, { nodes, kill_ms }, random);
  draft.events.sort((one, other) => one.at_ms - other.at_ms);
  return draft;
}

/** The first few find room, and nobody waiting. */
const straightThrough = 4;

interface Served extends Place {
  /** The node that sends it. */
  readonly sender: number;
  readonly arrived_ms: number;
  readonly ended_ms: number;
}

/** Whoever is next with a node arrives when the node's share of the rate and of the room allows it, a little late or
 * early on the way. What the first of several has not sent when it is killed, the second sends. */
function serve(places: readonly Place[], nodes: number, kill_ms: number, random: Random): Served[] {
  const room = Math.floor(limit.max_active / nodes);
  const served: Served[] = [];
  const arrival = (place: Place, sender: number, from_ms: number): number => {
    const before = served.filter((other) => other.sender === sender);
    const free_ms = (before.at(-1)?.arrived_ms ?? 0) + (1_000 * nodes) / limit.rate_per_second;
    const full_ms = before.map(({ ended_ms }) => ended_ms).toSorted((one, other) => other - one)[room - 1];
    return Math.max(place.sent_ms + 5, from_ms, free_ms, (full_ms ?? 0) + 1) + random.between(0, 2);
  };
  for (const place of places) {
    const own_ms = arrival(place, place.taker, 0);
    const over = place.taker === 1 && own_ms > kill_ms;
    const sender = over ? 2 : place.taker;
    const arrived_ms = over ? arrival(place, sender, kill_ms + takeover_ms) : own_ms;
    const ended_ms = arrived_ms + service_ms * random.between(0.8, 1.2);
    served.push({ ...place, sender, arrived_ms, ended_ms });
  }
  return served;
}

interface Room {
  readonly nodes: number;
  readonly kill_ms: number;
}

function story(draft: HistoryDraft, place: Served, { nodes, kill_ms }: Room, random: Random): void {
  const { buyer, key, sent_ms, number, taker, sender, arrived_ms, ended_ms } = place;
  const alone = nodes === 1;
  const unknown = arrived_ms < kill_ms && ended_ms > kill_ms && (alone || sender === 1);
  // One node is down for half a second; the first of several, for good.
  const up_ms = kill_ms + 500;
  const down = (time_ms: number, gateway: number): boolean =>
    time_ms > kill_ms && (alone ? time_ms < up_ms : gateway === 1);
  const late_ms = alone && arrived_ms > kill_ms ? 600 : 0;
  const purchase = `p-${buyer}`;
  const seats = [buyer];
  draft.requests.push({
    kind: "request",
    arrived_ms: arrived_ms + late_ms,
    ended_ms: ended_ms + late_ms,
    door: sender,
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
  events.push({ kind: "sent", at_ms, buyer, request, to: "purchase", gateway: taker });
  if (number === 0) {
    at_ms = ended_ms + 3;
    const told = { ...sale, gateway: taker, ticket: null };
    events.push({ kind: "answer", at_ms, buyer, request, to: "purchase", ...told });
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
    gateway: taker,
    ...plain,
    status: 202,
    position: number,
  });
  events.push({ kind: "ticketed", at_ms: at_ms + 0.1, buyer, request, number, id: `purchases:e:${number}` });
  let gateway = taker;
  for (;;) {
    events.push({ kind: "retry", at_ms: at_ms + 0.2, buyer, request, after_ms: poll_ms });
    at_ms += poll_ms + random.between(0, 3);
    request++;
    gateway = down(at_ms, gateway) ? nodes : Math.ceil(random.next() * nodes) || 1;
    if (down(at_ms, gateway)) {
      events.push({ kind: "broken", at_ms, buyer, request, to: "ticket", gateway, error: "ECONNREFUSED" });
      continue;
    }
    events.push({ kind: "sent", at_ms, buyer, request, to: "ticket", gateway });
    at_ms += random.between(1, 4);
    const answer = { kind: "answer", at_ms, buyer, request, to: "ticket", gateway, ...plain } as const;
    if (unknown && at_ms > up_ms) {
      events.push({ ...answer, status: 504, problem: "urn:usher:problem:request_unknown" });
      const outcome = { kind: "outcome", at_ms: at_ms + 0.1, buyer, outcome: "unknown" } as const;
      events.push({ ...outcome, status: 504, purchase: null });
      return;
    }
    if (at_ms > ended_ms + late_ms && !unknown) break;
    events.push({ ...answer, status: 200, position: 1 });
  }
  const there = { buyer, gateway };
  events.push({ kind: "answer", at_ms: at_ms + 0.1, ...there, request, to: "ticket", ...plain, status: 303 });
  request++;
  events.push({ kind: "sent", at_ms: at_ms + 0.2, ...there, request, to: "response" });
  events.push({ kind: "answer", at_ms: at_ms + 2, ...there, request, to: "response", ...sale });
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
