// Holds what was counted against what Usher promises.

import type { Limit, Report } from "../checker.ts";

/** A promise that was not kept. */
export interface Breach {
  readonly promise: string;
  readonly promised: string;
  readonly found: string;
}

export interface Terms {
  readonly limit: Limit;
  /** A node of Usher's was killed on the way. The only one was started again; of several, the others went on. */
  readonly killed: boolean;
  /** All nodes were restarted on the way, one after the other; false. That is promised to be as if nothing had been, but
   * that clients have to connect anew. */
  readonly rolled?: boolean;
  /** The route is declared idempotent, and the shop honours the key. */
  readonly idempotent: boolean;
}

/** What a burst must leave true, however it went. */
export function judge(report: Report, { limit, killed, idempotent }: Terms): Breach[] {
  const breaches: Breach[] = [];
  const none = (promise: string, found: number): void => {
    if (found !== 0) breaches.push({ promise, promised: "0", found: String(found) });
  };
  const atMost = (promise: string, most: number, found: number): void => {
    if (found > most) breaches.push({ promise, promised: `at most ${most}`, found: String(found) });
  };
  const all = (promise: string, found: number): void => {
    if (found !== report.buyers)
      breaches.push({ promise, promised: String(report.buyers), found: String(found) });
  };
  none("the files prove what they say", report.findings.count);
  if (killed && !idempotent) {
    all("everybody is answered, or told that it is unknown", report.answered + report.unknown);
    atMost("unknown: no more than the killed node had claimed", roomOf(limit), report.unknown);
    none("an unknown purchase reaches the shop once", report.unknownRepeated);
  } else {
    all("everybody is answered", report.answered);
    none("nothing is left unknown", report.unknown);
  }
  none("nothing fails", report.failed);
  none("nobody is lost", report.lost);
  none("nobody is answered twice", report.answeredTwice);
  none("no seat is sold twice", report.seatsSoldTwice);
  atMost("nobody comes out of turn", latecomers({ limit, killed, idempotent }), report.inversions);
  atMost("in flight at the shop: no more than max_active", limit.max_active, report.mostInFlight);
  for (const [index, { mostInFlight }] of report.nodes.entries())
    atMost(`in flight through node ${index + 1}: no more than its share`, roomOf(limit), mostInFlight);
  atMost("in any 5 s: 5 × rate and two bursts", mostIn5s(limit), report.worstFiveSeconds);
  none("ticket numbers have no gaps", report.numbersMissing);
  none("a ticket number is one buyer's", report.numbersShared);
  none("a buyer's number stays the same", report.renumbered);
  return breaches;
}

/** How many may come out of turn: none, but for what was lost with a node. That is sent again when its claim has lapsed,
 * long after its turn; with one node, which is away for a while, nobody can say how long. */
function latecomers({ limit, killed, idempotent }: Terms): number {
  if (!killed) return 0;
  if (nodesOf(limit) === 1) return Number.POSITIVE_INFINITY;
  return idempotent ? roomOf(limit) : 0;
}

/** How many may reach the shop in any five seconds. */
export function mostIn5s(limit: Limit): number {
  return 5 * limit.rate_per_second + 2 * burst(limit);
}

/** Among how many nodes the limit is divided. */
export function nodesOf({ nodes = 1 }: Limit): number {
  return nodes;
}

/** How many a node may have in flight: its share of `max_active`, rounded down. */
export function roomOf(limit: Limit): number {
  return Math.floor(limit.max_active / nodesOf(limit));
}

/** What may go at once: 200 ms of the rate, at least 1. */
export function burst({ rate_per_second }: Limit): number {
  return Math.max(1, rate_per_second * 0.2);
}
