// The checker: from the shop's lines and the buyers' lines, and nothing else, to what happened and whether it can be
// believed. Pure.
//
//   checker/parse.ts           text to lines: malformed, missing, repeated, moved
//   checker/shop-file.ts       the shop's account, counted anew
//   checker/buyers-file.ts     the buyers' account;  buyer-history.ts: one buyer's, replayed
//   checker/crossing.ts        the one held against the other
//   checker/inversions.ts  windows.ts  tickets.ts    order, pace, numbers;  nodes.ts: which node did what
//   checker/judge.ts           the promises
//   checker/findings.ts        what is wrong with the evidence

import type { BuyerHistory } from "./checker/buyer-history.ts";
import { type CrowdHistory, readBuyersFile } from "./checker/buyers-file.ts";
import { cross, isAnsweredTwice } from "./checker/crossing.ts";
import { type Finding, Findings } from "./checker/findings.ts";
import { type Arrival, boundsOf, countInversions, type Holder, type Order } from "./checker/inversions.ts";
import { nodesOf } from "./checker/judge.ts";
import { type NodeReport, nodeReports } from "./checker/nodes.ts";
import { parseBuyers, parseShop } from "./checker/parse.ts";
import { carriedOut, readShopFile, type ShopHistory } from "./checker/shop-file.ts";
import { countTickets, type TicketCounts } from "./checker/tickets.ts";
import { busiest, percentile } from "./checker/windows.ts";

/** The limit that the shop was to be kept within. */
export interface Limit {
  readonly rate_per_second: number;
  readonly max_active: number;
  /** Among how many nodes it is divided, in equal shares; 1. */
  readonly nodes?: number;
}

/** The lines of both files. */
export interface Evidence {
  readonly shop: readonly string[];
  readonly buyers: readonly string[];
}

/** What both files tell, read and checked. */
export interface History {
  readonly shop: ShopHistory;
  readonly crowd: CrowdHistory;
  readonly findings: Findings;
}

export interface Report extends TicketCounts, Order {
  /** How many were to come; answered, failed, unknown and lost add up to it. */
  readonly buyers: number;
  readonly answered: number;
  readonly failed: number;
  readonly unknown: number;
  readonly lost: number;
  /** Buyers whose purchase was carried out twice, or who were told two different ends. */
  readonly answeredTwice: number;
  /** Buyers told *unknown* whose purchase reached the shop more than once. */
  readonly unknownRepeated: number;
  /** Purchases that were carried out, and whose buyers never got the answer. */
  readonly soldUnheard: number;
  /** From the first purchase sent to the last one's first, in milliseconds. */
  readonly spread_ms: number;
  /** From the first purchase sent to the last final answer, in milliseconds. */
  readonly duration_ms: number;
  /** From the moment when a buyer was to come to the final answer, of those answered, in milliseconds. */
  readonly wait_ms: { readonly p50: number; readonly p99: number; readonly longest: number } | null;
  /** Purchases that reached the shop. */
  readonly arrivals: number;
  readonly mostInFlight: number;
  /** The most arrivals at the shop within any second, and within any five. */
  readonly worstSecond: number;
  readonly worstFiveSeconds: number;
  /** Of each node. */
  readonly nodes: readonly NodeReport[];
  readonly seatsSold: number;
  readonly seatsSoldTwice: number;
  readonly brokenConnections: number;
  /** What is wrong with the evidence; the first ten of each rule in words. */
  readonly findings: { readonly count: number; readonly first: readonly Finding[] };
}

/** Reads both files; what is wrong with them goes to the findings. */
export function readHistory(evidence: Evidence): History {
  const findings = new Findings();
  const shop = readShopFile(parseShop(evidence.shop, findings), findings);
  const crowd = readBuyersFile(parseBuyers(evidence.buyers, findings), findings);
  cross(shop, crowd.buyers, findings);
  return { shop, crowd, findings };
}

export function check(evidence: Evidence, limit: Limit): Report {
  return report(readHistory(evidence), limit);
}

export function report({ shop, crowd, findings }: History, limit: Limit): Report {
  const { buyers } = crowd;
  const requestsOf = (buyer: BuyerHistory) => shop.byKey.get(buyer.key) ?? [];
  const count = (holds: (buyer: BuyerHistory) => boolean): number => buyers.filter(holds).length;
  const arrivals_ms = shop.purchases.map(({ arrived_ms }) => arrived_ms);
  const sold = (buyer: BuyerHistory): boolean => requestsOf(buyer).some(carriedOut);
  const answered = count(({ outcome }) => outcome === "answered");
  const failed = count(({ outcome }) => outcome === "failed");
  const unknown = count(({ outcome }) => outcome === "unknown");
  return {
    buyers: crowd.expected,
    answered,
    failed,
    unknown,
    // Those of whom nothing is told, too.
    lost: crowd.expected - answered - failed - unknown,
    answeredTwice: count((buyer) => isAnsweredTwice(buyer, requestsOf(buyer))),
    unknownRepeated: count((buyer) => buyer.outcome === "unknown" && requestsOf(buyer).length > 1),
    soldUnheard: count((buyer) => buyer.outcome !== "answered" && sold(buyer)),
    ...times(buyers),
    arrivals: shop.purchases.length,
    mostInFlight: shop.mostInFlight,
    worstSecond: busiest(arrivals_ms, 1_000),
    worstFiveSeconds: busiest(arrivals_ms, 5_000),
    ...order(shop, buyers, limit),
    nodes: nodeReports(nodesOf(limit), shop, buyers),
    ...countTickets(shop, buyers),
    seatsSold: shop.seatsSold,
    seatsSoldTwice: shop.seatsSoldTwice,
    brokenConnections: buyers.reduce((sum, { broken }) => sum + broken.length, 0),
    findings: { count: findings.count, first: findings.kept },
  };
}

function times(buyers: readonly BuyerHistory[]): Pick<Report, "spread_ms" | "duration_ms" | "wait_ms"> {
  const sent_ms = buyers.flatMap(({ sent: [first] }) => first?.at_ms ?? []);
  sent_ms.sort((one, other) => one - other);
  const ended_ms = buyers.flatMap((buyer) => buyer.ended_ms ?? []).sort((one, other) => one - other);
  const first_ms = sent_ms[0] ?? 0;
  const answered = buyers.filter(({ outcome }) => outcome === "answered");
  const waits_ms = answered.flatMap(({ due_ms, ended_ms: end_ms }) =>
    due_ms === undefined || end_ms === undefined ? [] : end_ms - due_ms,
  );
  const p50 = percentile(waits_ms, 0.5);
  const p99 = percentile(waits_ms, 0.99);
  const longest = percentile(waits_ms, 1);
  const known = p50 !== undefined && p99 !== undefined && longest !== undefined;
  return {
    spread_ms: (sent_ms.at(-1) ?? first_ms) - first_ms,
    duration_ms: (ended_ms.at(-1) ?? first_ms) - first_ms,
    wait_ms: known ? { p50, p99, longest } : null,
  };
}

function order(shop: ShopHistory, buyers: readonly BuyerHistory[], limit: Limit): Order {
  const arrivals: Arrival[] = [];
  const holders: Holder[] = [];
  for (const { key, sent, taker, ticketed_ms, ended_ms, outcome } of buyers) {
    // Being sent again, after a refusal or a kill, is not being served: the first time counts.
    const [first] = shop.byKey.get(key) ?? [];
    if (first !== undefined) {
      const { arrived_ms, ticket, door: sender } = first;
      // Whatever was sent by then may be what arrived.
      const last = sent.findLast(({ at_ms }) => at_ms <= arrived_ms) ?? sent[0];
      arrivals.push({ arrived_ms, ticket, sent_ms: last?.at_ms, sender, taker });
    }
    // What was claimed by a node that died before it was sent waits no longer: nobody else may send it.
    const abandoned = first === undefined && outcome === "unknown";
    if (ticketed_ms !== undefined && !abandoned) {
      // Who was told the end without ever having reached the shop stood in nobody's way after that.
      const served_ms = first?.arrived_ms ?? ended_ms ?? Number.POSITIVE_INFINITY;
      holders.push({ ticketed_ms, served_ms, node: first?.door === taker ? taker : undefined });
    }
  }
  return countInversions(arrivals, holders, boundsOf(limit));
}
