// What the buyers' file says of each of them, and whether it agrees with itself.

import type { BuyersLine, StartLine } from "../../lines.ts";
import { type BuyerEvent, type BuyerHistory, readBuyer } from "./buyer-history.ts";
import type { Findings } from "./findings.ts";

export interface CrowdHistory {
  /** How many buyers were to come. */
  readonly expected: number;
  readonly buyers: readonly BuyerHistory[];
}

export function readBuyersFile(lines: readonly BuyersLine[], findings: Findings): CrowdHistory {
  checkTimes(lines, findings);
  const events = lines.filter((line): line is BuyerEvent => line.kind !== "start" && line.kind !== "end");
  const byBuyer = Map.groupBy(events, (event) => event.buyer);
  const buyers = [...byBuyer].map(([buyer, its]) => readBuyer(buyer, its, findings));
  const keys = new Set(buyers.map(({ key }) => key));
  if (keys.size < buyers.length) findings.add("buyers", "impossible", "two buyers have the same key");
  const start = lines.find((line) => line.kind === "start");
  return { expected: expectedBuyers(start, byBuyer, findings), buyers };
}

/** Nothing happened at the same time, or before what was written earlier. */
function checkTimes(lines: readonly BuyersLine[], findings: Findings): void {
  let before = Number.NEGATIVE_INFINITY;
  for (const { at_ms, line } of lines) {
    if (at_ms <= before)
      findings.add("buyers", "impossible", `line ${line} happened before the one before it`);
    before = at_ms;
  }
}

function expectedBuyers(
  start: StartLine | undefined,
  byBuyer: ReadonlyMap<number, unknown>,
  findings: Findings,
): number {
  const expected = Number(start?.options.buyers ?? byBuyer.size);
  for (let buyer = 1; buyer <= expected; buyer++) {
    if (!byBuyer.has(buyer)) findings.add("buyers", "missing", `nothing is told of buyer ${buyer}`);
  }
  if (byBuyer.size > expected) {
    findings.add("buyers", "impossible", `there are ${byBuyer.size} buyers, and ${expected} were to come`);
  }
  return expected;
}
