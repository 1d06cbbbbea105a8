// The numbers of the tickets: each given to one buyer, none left out, and nobody's changed.

import type { BuyerHistory } from "./buyer-history.ts";
import type { ShopHistory } from "./shop-file.ts";

export interface TicketCounts {
  /** Different numbers seen, by buyers or at the shop. */
  readonly tickets: number;
  /** Numbers from 1 to the highest that nobody has. */
  readonly numbersMissing: number;
  /** Numbers that more than one buyer has. */
  readonly numbersShared: number;
  /** Buyers who had more than one number. */
  readonly renumbered: number;
}

export function countTickets(shop: ShopHistory, buyers: readonly BuyerHistory[]): TicketCounts {
  const holders = new Map<number, number>();
  let highest = 0;
  let renumbered = 0;
  for (const { key, numbers } of buyers) {
    const atShop = (shop.byKey.get(key) ?? []).flatMap(({ ticket }) => ticket ?? []);
    const its = new Set([...numbers, ...atShop]);
    if (its.size > 1) renumbered++;
    for (const number of its) {
      holders.set(number, (holders.get(number) ?? 0) + 1);
      highest = Math.max(highest, number);
    }
  }
  const numbersShared = [...holders.values()].filter((count) => count > 1).length;
  return { tickets: holders.size, numbersMissing: highest - holders.size, numbersShared, renumbered };
}
