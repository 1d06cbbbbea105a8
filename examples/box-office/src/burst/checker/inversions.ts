// Who came out of turn. An inversion is a request that
//  - reaches the shop after more than `slack` of higher numbers have (`slack`: max_active and one burst, which may be
//    on their way at once, and overtake each other there), or
//  - reaches it without a ticket, was sent after another's 202, and comes before that one.
//
// The times that are compared are always of one process: sending and 202 are the buyers', arrivals the shop's.

/** One request's first arrival at the shop. */
export interface Arrival {
  readonly arrived_ms: number;
  /** Its ticket's number; null for one that went straight through. */
  readonly ticket: number | null;
  /** When its buyer sent it; undefined where that is not known. */
  readonly sent_ms: number | undefined;
}

/** Somebody with a ticket. */
export interface Holder {
  /** When the 202 was read. */
  readonly ticketed_ms: number;
  /** When its request first reached the shop; infinite where it never did and its buyer was left waiting. */
  readonly served_ms: number;
}

export function countInversions(
  arrivals: readonly Arrival[],
  holders: readonly Holder[],
  slack: number,
): number {
  return countOvertaken(arrivals, slack) + countStraightOvertakers(arrivals, holders);
}

/** Requests that more than `slack` of higher numbers came before. */
function countOvertaken(arrivals: readonly Arrival[], slack: number): number {
  const inOrder = arrivals.toSorted((one, other) => one.arrived_ms - other.arrived_ms);
  /** The numbers so far, rising. */
  const seen: number[] = [];
  let inversions = 0;
  for (const { ticket } of inOrder) {
    if (ticket === null) continue;
    const rank = firstAbove(seen, ticket);
    if (seen.length - rank > slack) inversions++;
    seen.splice(rank, 0, ticket);
  }
  return inversions;
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

/** Requests without a ticket that passed somebody who had one when they were sent. */
function countStraightOvertakers(arrivals: readonly Arrival[], holders: readonly Holder[]): number {
  const byTicket = holders.toSorted((one, other) => one.ticketed_ms - other.ticketed_ms);
  const straight = arrivals.filter(({ ticket, sent_ms }) => ticket === null && sent_ms !== undefined);
  straight.sort((one, other) => one.sent_ms! - other.sent_ms!);
  let inversions = 0;
  let next = 0;
  /** When the last of those who had a ticket by then reaches the shop. */
  let last_ms = Number.NEGATIVE_INFINITY;
  for (const { sent_ms, arrived_ms } of straight) {
    while (next < byTicket.length && byTicket[next]!.ticketed_ms < sent_ms!) {
      last_ms = Math.max(last_ms, byTicket[next++]!.served_ms);
    }
    if (arrived_ms < last_ms) inversions++;
  }
  return inversions;
}
