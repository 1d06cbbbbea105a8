// ReadLog: the log's entries, as they are stored.

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ReadLogRequest, ReadLogResponseSchema } from "@usher/protocol/admin";
import type { EntryRange } from "../entries.ts";
import type { Replica } from "../replica.ts";
import { entryMessage } from "./admin-codec.ts";
import { mustGoOn, reconnectAfter } from "./stream-end.ts";
import { invalid } from "./validation.ts";

/** How far back from its end a reader may ask to begin, in offsets; further back, it names the offset. */
const LAST_MAX = 1_000_000;

export async function* readLog(
  { entries, draining }: Replica,
  request: ReadLogRequest,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof ReadLogResponseSchema>> {
  const end = await entries.end();
  const range = rangeOf(request, end);
  let next = range.from;
  const place = () => ({ next: BigInt(next), end: BigInt(end) });
  for await (const step of entries.read(range, signal)) {
    next = (step.at(-1)?.offset ?? next - 1) + 1;
    yield { entries: step.map(entryMessage), ...place() };
  }
  mustGoOn(signal);
  if (next >= range.until) return;
  if (draining.aborted) yield { ...place(), reconnectAfter: reconnectAfter() };
  // What is left of the range are records of the store's own.
  else yield { next: BigInt(range.until), end: BigInt(end) };
}

function rangeOf({ start, until, follow }: ReadLogRequest, end: number): EntryRange {
  if (follow && until > 0n) throw invalid("until", "a stream that follows the log does not end");
  return {
    from: startOf(start, end),
    until: follow ? Number.POSITIVE_INFINITY : until === 0n ? end : Math.min(end, Number(until)),
  };
}

function startOf(start: ReadLogRequest["start"], end: number): number {
  switch (start.case) {
    case undefined:
      return 0;
    case "from":
      if (start.value <= BigInt(end)) return Number(start.value);
      throw invalid("from", `the log ends at ${end}`);
    case "last":
      if (start.value >= 1 && start.value <= LAST_MAX) return Math.max(0, end - start.value);
      throw invalid("last", `${start.value} is not from 1 to ${LAST_MAX}`);
  }
}
