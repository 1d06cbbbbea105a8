// What any adapter of the log must do, as checks: functions that throw. `describeTicketLog` makes tests of them;
// `contract.test.ts` shows that each can fail. The checks, by subject:
//
//   contract/order.ts       the log's order; urgent entries; the end
//   contract/durability.ts  what was answered is kept
//   contract/following.ts   followers, from anywhere, several at once
//   contract/payloads.ts    payloads: with an entry, alone, dropped
//   contract/values.ts      bytes come back as they were
//   contract/bounds.ts      refusals
//   contract/closing.ts     ends
//   contract/sharing.ts     several nodes
//
// `contract/harness.ts` says what an adapter's tests provide, `contract/reader.ts` is the follower the checks use.

import { describe, it } from "vitest";
import { boundsChecks } from "./contract/bounds.ts";
import { closingChecks } from "./contract/closing.ts";
import { durabilityChecks } from "./contract/durability.ts";
import { followingChecks } from "./contract/following.ts";
import type { LogCheck, LogHarness } from "./contract/harness.ts";
import { orderChecks } from "./contract/order.ts";
import { payloadChecks } from "./contract/payloads.ts";
import { sharingChecks } from "./contract/sharing.ts";
import { valueChecks } from "./contract/values.ts";

export type { HarnessOptions, HarnessStore, LogCheck, LogHarness } from "./contract/harness.ts";

export const logChecks: readonly LogCheck[] = [
  ...orderChecks,
  ...durabilityChecks,
  ...followingChecks,
  ...payloadChecks,
  ...valueChecks,
  ...boundsChecks,
  ...closingChecks,
  ...sharingChecks,
];

/** Runs a check on a store of its own. */
export async function runCheck({ run }: LogCheck, harness: LogHarness): Promise<void> {
  const store = await harness.create();
  try {
    await run(store);
  } finally {
    await store.remove();
  }
}

export function describeTicketLog(name: string, harness: LogHarness): void {
  describe(`${name} as a ticket log`, () => {
    for (const check of logChecks) it(check.name, () => runCheck(check, harness));
  });
}
