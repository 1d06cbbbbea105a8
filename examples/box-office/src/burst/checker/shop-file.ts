// What the shop's file says, and whether it agrees with itself.

import type { RequestLine, ShopLine } from "../../lines.ts";
import type { Findings } from "./findings.ts";

export interface ShopHistory {
  /** The requests to buy, in the order of arrival. */
  readonly purchases: readonly RequestLine[];
  /** The same by `Idempotency-Key`; those without one are left out. */
  readonly byKey: ReadonlyMap<string, readonly RequestLine[]>;
  /** The most purchases in flight at a time, counted anew from arrivals and ends. */
  readonly mostInFlight: number;
  readonly seatsSold: number;
  /** Seats that more than one purchase got. */
  readonly seatsSoldTwice: number;
}

/** Whether this request made a purchase, and was not merely told of one. */
export function carriedOut(request: RequestLine): boolean {
  return request.status === 201 && !request.replay;
}

export function readShopFile(lines: readonly ShopLine[], findings: Findings): ShopHistory {
  const requests = lines.filter((line) => line.kind === "request");
  requests.sort((one, other) => one.request - other.request);
  checkNumbers(requests, findings);
  const purchases = requests.filter(({ method, path }) => method === "POST" && path === "/api/purchases");
  const mostInFlight = recount(requests, purchases, findings);
  checkPurchases(purchases, findings);
  const byKey = Map.groupBy(
    purchases.filter((request) => request.key !== null),
    (request) => request.key!,
  );
  return { purchases, byKey, mostInFlight, ...countSeats(purchases) };
}

/** The n-th request has number n and arrived after the one before. */
function checkNumbers(requests: readonly RequestLine[], findings: Findings): void {
  let before: RequestLine | undefined;
  for (const request of requests) {
    const expected = (before?.request ?? 0) + 1;
    if (request.request < expected) {
      findings.add("shop", "repeated", `request ${request.request} is there twice`);
    } else if (request.request > expected) {
      findings.add("shop", "missing", `requests ${expected} to ${request.request - 1} are missing`);
    }
    if (before !== undefined && request.arrived_ms <= before.arrived_ms) {
      findings.add("shop", "impossible", `request ${request.request} arrived before ${before.request}`);
    }
    if (request.ended_ms !== null && request.ended_ms <= request.arrived_ms) {
      findings.add("shop", "impossible", `request ${request.request} ended before it arrived`);
    }
    before = request;
  }
}

/** Counts those in flight from arrivals and ends, and holds the shop's own counts against it. */
function recount(
  requests: readonly RequestLine[],
  purchases: readonly RequestLine[],
  findings: Findings,
): number {
  const ends_ms = purchases.flatMap(({ ended_ms }) => ended_ms ?? []).sort((one, other) => one - other);
  const counted = new Set(purchases);
  let arrived = 0;
  let ended = 0;
  let most = 0;
  for (const request of requests) {
    if (counted.has(request)) arrived++;
    while (ended < ends_ms.length && ends_ms[ended]! < request.arrived_ms) ended++;
    const inFlight = arrived - ended;
    most = Math.max(most, inFlight);
    if (request.in_flight !== inFlight || request.in_flight_max !== most) {
      const says = `${request.in_flight} in flight and ${request.in_flight_max} at most`;
      const number = `request ${request.request}`;
      findings.add(
        "shop",
        "impossible",
        `${number} says ${says}; arrivals and ends give ${inFlight} and ${most}`,
      );
    }
  }
  return most;
}

/** A purchase is made once; who is told of it again has the same key. */
function checkPurchases(purchases: readonly RequestLine[], findings: Findings): void {
  const made = new Map<string, RequestLine>();
  for (const request of purchases.filter(carriedOut)) {
    const { purchase, request: number, seats } = request;
    if (purchase === null || seats.length === 0) {
      findings.add("shop", "impossible", `request ${number} bought nothing, and was answered 201`);
    } else if (made.has(purchase)) {
      findings.add("shop", "repeated", `purchase ${purchase} was made by ${number}, too`);
    } else {
      made.set(purchase, request);
    }
  }
  for (const { purchase, replay, key, request, seats } of purchases) {
    if (!replay) continue;
    const original = purchase === null ? undefined : made.get(purchase);
    const same = original?.key === key && String(original.seats) === String(seats);
    if (!same)
      findings.add("shop", "impossible", `request ${request} repeats a purchase that its key did not make`);
  }
}

/** The most of these that were in flight at a time. */
export function mostInFlight(requests: readonly RequestLine[]): number {
  const changes = requests.flatMap(({ arrived_ms, ended_ms }) => [
    { at_ms: arrived_ms, by: 1 },
    ...(ended_ms === null ? [] : [{ at_ms: ended_ms, by: -1 }]),
  ]);
  let inFlight = 0;
  let most = 0;
  for (const { by } of changes.toSorted((one, other) => one.at_ms - other.at_ms)) {
    inFlight += by;
    most = Math.max(most, inFlight);
  }
  return most;
}

function countSeats(purchases: readonly RequestLine[]): { seatsSold: number; seatsSoldTwice: number } {
  const sold = new Set<number>();
  const twice = new Set<number>();
  for (const seat of purchases.filter(carriedOut).flatMap(({ seats }) => seats)) {
    if (sold.has(seat)) twice.add(seat);
    sold.add(seat);
  }
  return { seatsSold: sold.size, seatsSoldTwice: twice.size };
}
