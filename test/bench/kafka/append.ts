// The adapter alone: appends of the size of an issue, each resolved before its place is taken by the next.

import { join } from "node:path";
import { openKafkaLog, type TicketLog } from "@usher/ticket-log";
import { IN_FLIGHT, type Measured } from "../issue/load.ts";

const SECONDS = 4;
/** Bytes of one record: about those of a ticket's issue in its envelope. */
const RECORD_BYTES = 80;

/** Opens a log for the bench, on one broker. */
export function openBenchLog(
  brokers: readonly string[],
  directory: string,
  topics: string,
): Promise<TicketLog> {
  return openKafkaLog({
    brokers: [...brokers],
    node: "bench",
    topics,
    replication: 1,
    spool: { directory: join(directory, `spool-${topics}`) },
    payload_retention_ms: 24 * 60 * 60_000,
    // Whatever it costs shows in the figures.
    onFault: () => {},
  });
}

export async function appends(brokers: readonly string[], directory: string): Promise<Measured> {
  const log = await openBenchLog(brokers, directory, "append");
  try {
    const writer = log.openWriter();
    const value = Buffer.alloc(RECORD_BYTES, 1);
    const took_ms: number[] = [];
    const begun_ms = performance.now();
    const until_ms = begun_ms + SECONDS * 1_000;
    const one = async (): Promise<void> => {
      for (let at_ms = performance.now(); at_ms < until_ms; ) {
        await writer.append({ key: "bench", value });
        const now_ms = performance.now();
        took_ms.push(now_ms - at_ms);
        at_ms = now_ms;
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, one));
    const seconds = (performance.now() - begun_ms) / 1_000;
    took_ms.sort((a, b) => a - b);
    const at = (part: number) => took_ms[Math.floor(took_ms.length * part)];
    return { rate: took_ms.length / seconds, p50_ms: at(0.5), p99_ms: at(0.99) };
  } finally {
    await log.close();
  }
}
