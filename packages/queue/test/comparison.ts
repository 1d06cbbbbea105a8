// A fold beside the naive reference, over the same records.

import { deepStrictEqual } from "node:assert/strict";
import { differences, type LogRecord, type Queue } from "../src/index.ts";
import { Reference } from "./reference.ts";
import { described } from "./reference-description.ts";
import type { ReferenceQueue } from "./reference-queue.ts";
import { DIGESTS, KEYS } from "./scribe.ts";
import type { FoldClass } from "./trace.ts";

/** Throws where they differ: in the outcome and the changes of every record; every so many records, and at the end,
 * in the whole state and in what can be asked of it. */
export function compare(FoldToUse: FoldClass, records: readonly LogRecord[], interval: number): void {
  const fold = new FoldToUse();
  const reference = new Reference();
  for (const [at, record] of records.entries()) {
    const where = `record ${at} (${record.event.kind})`;
    deepStrictEqual(fold.apply(record), reference.apply(record), where);
    deepStrictEqual(fold.takeChanges(), reference.takeChanges(), where);
    if (at % interval !== 0 && at !== records.length - 1) continue;
    const found = differences(fold, described(reference));
    if (found.length > 0) throw new Error(`${where}, fold / reference:\n${found.join("\n")}`);
    for (const queue of reference.queues)
      deepStrictEqual(asked(fold.queue(queue.name)!), askedOfReference(queue), where);
  }
}

/** What is looked up otherwise than when the state is told. */
function asked(queue: Queue) {
  return {
    keys: KEYS.map((key) => queue.byKey(key, DIGESTS[0])),
    positions: Array.from({ length: queue.lastNumber }, (_, at) => queue.position(at + 1)),
  };
}

function askedOfReference(queue: ReferenceQueue): ReturnType<typeof asked> {
  const digest = Buffer.from(DIGESTS[0]).toString("hex");
  const positions = new Map(queue.views().map(({ number, position }) => [number, position]));
  return {
    keys: KEYS.map((key) => {
      const found = queue.byKey(Buffer.from(key).toString("hex"));
      return found && { number: found.ticket.number, same: found.digest === digest };
    }),
    positions: Array.from({ length: queue.issued }, (_, at) => positions.get(at + 1)),
  };
}
