// Holds the two files against each other.

import type { RequestLine } from "../../lines.ts";
import { type BuyerHistory, isServiceAnswer } from "./buyer-history.ts";
import type { Findings } from "./findings.ts";
import { carriedOut, type ShopHistory } from "./shop-file.ts";

/** How far the clocks of two processes may be apart, in milliseconds. 250: both count from one machine's wall clock,
 * read when each started, and that clock may have been corrected in between. */
const CLOCKS_MS = 250;

export function cross(shop: ShopHistory, buyers: readonly BuyerHistory[], findings: Findings): void {
  const byKey = new Map(buyers.map((buyer) => [buyer.key, buyer]));
  for (const request of shop.purchases) checkArrival(request, byKey.get(request.key ?? ""), findings);
  for (const buyer of buyers) checkAnswers(buyer, shop.byKey.get(buyer.key) ?? [], findings);
}

/** Somebody sent it, and with the ticket that they had. */
function checkArrival(request: RequestLine, buyer: BuyerHistory | undefined, findings: Findings): void {
  const number = `request ${request.request}`;
  if (buyer === undefined) {
    findings.add("both", "contradiction", `${number} reached the shop, and nobody has its key`);
    return;
  }
  const who = `buyer ${buyer.buyer}`;
  const sent_ms = buyer.sent[0]?.at_ms ?? Number.POSITIVE_INFINITY;
  if (request.arrived_ms < sent_ms - CLOCKS_MS) {
    findings.add("both", "contradiction", `${number} reached the shop before ${who} sent it`);
  }
  const late = request.arrived_ms > (buyer.ticketed_ms ?? Number.POSITIVE_INFINITY) + CLOCKS_MS;
  if (request.ticket === null && late) {
    findings.add("both", "contradiction", `${number} reached the shop without the ticket that ${who} has`);
  }
  if (request.buyer !== null && request.buyer !== `buyer ${buyer.buyer}`) {
    findings.add("both", "contradiction", `${number} is of ${request.buyer}, and has the key of ${who}`);
  }
}

/** What a buyer took for the service's answer is one that the shop gave it, and not before it did. */
function checkAnswers(buyer: BuyerHistory, requests: readonly RequestLine[], findings: Findings): void {
  for (const answer of buyer.finals.filter((final) => isServiceAnswer(final))) {
    const { status, purchase, seats, at_ms } = answer;
    const given = requests.some(
      (request) =>
        request.status === status &&
        request.purchase === purchase &&
        String(request.seats) === String(seats) &&
        (request.ended_ms ?? Number.POSITIVE_INFINITY) < at_ms + CLOCKS_MS,
    );
    if (!given) {
      const what = `${status}${purchase === null ? "" : ` with ${purchase}`}`;
      findings.add(
        "both",
        "contradiction",
        `buyer ${buyer.buyer} was answered ${what}; the shop did not say so`,
      );
    }
  }
}

/** Whether the buyer got its purchase twice: carried out twice, or told two different ends. */
export function isAnsweredTwice(buyer: BuyerHistory, requests: readonly RequestLine[]): boolean {
  const ends = new Set(buyer.finals.map(({ status, purchase }) => `${status} ${purchase}`));
  return requests.filter(carriedOut).length > 1 || ends.size > 1;
}
