// Which node did what: by the buyers' account of whom they asked, and the shop's of whom it heard from.

import type { BuyerHistory } from "./buyer-history.ts";
import { mostInFlight, type ShopHistory } from "./shop-file.ts";

/** Connections that nobody cut: where nobody listens, and where the buyer itself would wait no longer. */
const UNCUT: ReadonlySet<string> = new Set(["ECONNREFUSED", "TIMEOUT"]);

export interface NodeReport {
  /** Tickets that it gave: 202 to a purchase. */
  readonly ticketsGiven: number;
  /** Questions after a ticket that it answered. */
  readonly questions: number;
  /** Final answers that were had from it. */
  readonly answers: number;
  /** Connections to it that broke, or did not come about. */
  readonly broken: number;
  /** Of those, cut after they had come about: the buyer cannot know what became of the request. */
  readonly cut: number;
  /** Purchases that it sent to the shop. */
  readonly sent: number;
  /** Of those, taken by another node. */
  readonly sentForOthers: number;
  /** The most that it had in flight at the shop. */
  readonly mostInFlight: number;
}

/** Of each node, in the order of their numbers. */
export function nodeReports(
  nodes: number,
  shop: ShopHistory,
  buyers: readonly BuyerHistory[],
): readonly NodeReport[] {
  const takers = new Map(buyers.map(({ key, taker }) => [key, taker]));
  const answers = buyers.flatMap((buyer) => buyer.answers);
  const finals = buyers.flatMap((buyer) => buyer.finals);
  const broken = buyers.flatMap((buyer) => buyer.broken);
  return Array.from({ length: nodes }, (_, index) => {
    const node = index + 1;
    const here = (lines: readonly { readonly gateway: number }[]): number =>
      lines.filter(({ gateway }) => gateway === node).length;
    const sent = shop.purchases.filter(({ door }) => door === node);
    return {
      ticketsGiven: here(answers.filter(({ to, status }) => to === "purchase" && status === 202)),
      questions: here(answers.filter(({ to }) => to === "ticket")),
      answers: here(finals),
      broken: here(broken),
      cut: here(broken.filter(({ error }) => !UNCUT.has(error))),
      sent: sent.length,
      sentForOthers: sent.filter(({ key }) => (takers.get(key ?? "") ?? node) !== node).length,
      mostInFlight: mostInFlight(sent),
    };
  });
}
