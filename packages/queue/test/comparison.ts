// A fold beside the naive reference, over the same records.

import { deepStrictEqual } from "node:assert/strict";
import type { LogRecord } from "../src/index.ts";
import { Reference } from "./reference.ts";
import { DIGESTS, KEYS } from "./scribe.ts";
import type { FoldClass } from "./trace.ts";
import { visibleOfFold, visibleOfReference } from "./visible.ts";

/** Throws where they differ: in the outcome and the changes of every record; every so many records, and at the end,
 * in everything that can be asked. */
export function compare(FoldToUse: FoldClass, records: readonly LogRecord[], interval: number): void {
  const fold = new FoldToUse();
  const reference = new Reference();
  for (const [at, record] of records.entries()) {
    const where = `record ${at} (${record.event.kind})`;
    deepStrictEqual(fold.apply(record), reference.apply(record), where);
    deepStrictEqual(fold.takeChanges(), reference.takeChanges(), where);
    if (at % interval !== 0 && at !== records.length - 1) continue;
    const expected = visibleOfReference(reference, KEYS, DIGESTS[0]);
    deepStrictEqual(visibleOfFold(fold, KEYS, DIGESTS[0]), expected, where);
  }
}
