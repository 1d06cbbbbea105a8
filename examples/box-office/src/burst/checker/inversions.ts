// Who came out of turn. An inversion is a request that
//  - reaches the shop after more higher numbers than may be ahead of it, or
//  - reaches it without a ticket, was sent after another's 202, and comes before that one.
//
// How many may be ahead. One node sends in the order of the numbers, so only what is on its way at once may overtake:
// `max_active`, and one burst. Of several nodes, each sends by itself, within its share:
//
//    own       what a node has taken itself and sends itself, it sends in order: only its share of the above may
//              overtake there.
//    overall   what a node has taken and cannot send at once (it has no room, or is dead) is for the others to claim
//              500 ms of log time after its admission, and a node may lag behind the log. For so long, the others may
//              send higher numbers, of which they are admitted no more than their share of the rate. From then on,
//              every node sends the lowest first.
//    lead      a node that lags does not know yet who waits: it may let somebody straight through by as much. Who was
//              served by the node that let the other one through was known there, and may not be overtaken at all.
//
// The times that are compared are always of one process: sending and 202 are the buyers', arrivals the shop's.

import type { Limit } from "../checker.ts";
import { burst, nodesOf } from "./judge.ts";

/** For how long, in milliseconds, the node that took a request has it to itself; the half second of Usher's design. */
const CLAIM_MS = 500;

/** How far behind the log a node may be, in milliseconds, and still count as in turn. A second: for so long, a node
 * lets a reader wait who has seen more elsewhere, before it says that it is behind. */
const LAG_MS = 1_000;

/** What is no inversion yet. */
export interface Bounds {
  /** Higher numbers, taken and sent by the same node, that may be ahead. */
  readonly own: number;
  /** Higher numbers of all that may be ahead. */
  readonly overall: number;
  /** By how much one without a ticket may pass one with a ticket of another node, in milliseconds. */
  readonly lead_ms: number;
}

/** One request's first arrival at the shop. */
export interface Arrival {
  readonly arrived_ms: number;
  /** Its ticket's number; null for one that went straight through. */
  readonly ticket: number | null;
  /** When its buyer sent it; undefined where that is not known. */
  readonly sent_ms: number | undefined;
  /** The node that sent it to the shop, from 1. */
  readonly sender: number;
  /** The node that had taken it, and given it its ticket; undefined where that is not known. */
  readonly taker: number | undefined;
}

/** Somebody with a ticket. */
export interface Holder {
  /** When the 202 was read. */
  readonly ticketed_ms: number;
  /** When its request first reached the shop; infinite where it never did and its buyer was left waiting. */
  readonly served_ms: number;
  /** The node that both took it and sent it; undefined where there is no such one. */
  readonly node: number | undefined;
}

export interface Order {
  readonly inversions: number;
  /** The most higher numbers that were ahead of one; those taken and sent by the same node, and all. */
  readonly mostAheadOwn: number;
  readonly mostAhead: number;
  /** By how much one without a ticket passed one with a ticket at the most, in milliseconds: both sent after the
   * other's 202 and arrived before it. 0: nobody did. */
  readonly longestLead_ms: number;
}

export function boundsOf(limit: Limit): Bounds {
  const nodes = nodesOf(limit);
  const atOnce = limit.max_active + burst(limit);
  const shareOfOthers = ((nodes - 1) / nodes) * limit.rate_per_second;
  return {
    own: atOnce / nodes,
    overall: atOnce + (shareOfOthers * (CLAIM_MS + LAG_MS)) / 1000,
    lead_ms: nodes === 1 ? 0 : LAG_MS,
  };
}

export function countInversions(
  arrivals: readonly Arrival[],
  holders: readonly Holder[],
  { own, overall, lead_ms }: Bounds,
): Order {
  const tickets = ahead(arrivals);
  const byNode = [...Map.groupBy(arrivals, ownNode)].flatMap(([node, its]) => (node ? [...ahead(its)] : []));
  const late = new Set([
    ...[...tickets].filter(([, count]) => count > overall).map(([arrival]) => arrival),
    ...byNode.filter(([, count]) => count > own).map(([arrival]) => arrival),
  ]);
  const straight = leads(arrivals, holders, lead_ms);
  return {
    inversions: late.size + straight.beyond,
    mostAheadOwn: most(byNode.map(([, count]) => count)),
    mostAhead: most(tickets.values()),
    longestLead_ms: straight.longest_ms,
  };
}

function most(counts: Iterable<number>): number {
  let highest = 0;
  for (const count of counts) highest = Math.max(highest, count);
  return highest;
}

/** The node that both took a request and sent it. */
function ownNode({ sender, taker }: Arrival): number | undefined {
  return sender === taker ? sender : undefined;
}

/** How many higher numbers arrived before each, for those with a ticket. */
function ahead(arrivals: readonly Arrival[]): Map<Arrival, number> {
  const counts = new Map<Arrival, number>();
  /** The numbers so far, rising. */
  const seen: number[] = [];
  for (const arrival of arrivals.toSorted((one, other) => one.arrived_ms - other.arrived_ms)) {
    if (arrival.ticket === null) continue;
    const rank = firstAbove(seen, arrival.ticket);
    counts.set(arrival, seen.length - rank);
    seen.splice(rank, 0, arrival.ticket);
  }
  return counts;
}

function firstAbove(rising: readonly number[], value: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rising[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Requests without a ticket that passed somebody who had one when they were sent: by how much the longest did, and how
 * many did by more than they may. */
function leads(
  arrivals: readonly Arrival[],
  holders: readonly Holder[],
  lead_ms: number,
): { readonly beyond: number; readonly longest_ms: number } {
  let beyond = 0;
  let longest_ms = 0;
  for (const { ticket, sent_ms, arrived_ms, sender } of arrivals) {
    if (ticket !== null || sent_ms === undefined) continue;
    let isBeyond = false;
    for (const { ticketed_ms, served_ms, node } of holders) {
      const passed_ms = Math.min(sent_ms - ticketed_ms, served_ms - arrived_ms);
      if (passed_ms <= 0) continue;
      longest_ms = Math.max(longest_ms, passed_ms);
      isBeyond ||= passed_ms > (node === sender ? 0 : lead_ms);
    }
    if (isBeyond) beyond++;
  }
  return { beyond, longest_ms };
}
