// A million tickets, written once and read into fresh nodes: as bytes, decoded, and as a whole replica, so that it
// shows where the time goes.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type LogEvent, SETTINGS_DEFAULTS } from "@usher/queue";
import { decodeRecord, encodeRecord, openKeys, Reader } from "@usher/replica";
import type { StoredEntry, TicketLog } from "@usher/ticket-log";
import { median } from "../median.ts";
import { openBenchLog } from "./append.ts";

const TICKETS = 1_000_000;
/** Appends under way at once while the log is written. */
const AHEAD = 5_000;
const TOPICS = "replay";
const ROUNDS = 3;

export async function measureReplay(
  brokers: readonly string[],
  directory: string,
  print: (line: string) => void,
): Promise<void> {
  await openKeys({ file: join(directory, "keys.json"), create: true });
  const open = () => openBenchLog(brokers, directory, TOPICS);
  const log = await open();
  await write(log);
  await log.close();

  const found = { bytes: [] as number[], decoded: [] as number[], folded: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    found.bytes.push(await seconds(open, (log) => follow(log, () => {})));
    found.decoded.push(await seconds(open, (log) => follow(log, ({ value }) => decodeRecord(value))));
    found.folded.push(await seconds(open, fold));
  }
  const [bytes, decoded, folded] = [found.bytes, found.decoded, found.folded].map(median) as [
    number,
    number,
    number,
  ];
  print(`${TICKETS / 1e6} million tickets, read from Kafka by a fresh node, medians of ${ROUNDS}:`);
  print(
    `  ${folded.toFixed(1)} s until it knows them all (${Math.round(TICKETS / folded)} records a second), of which`,
  );
  print(
    `    ${bytes.toFixed(1)} s bring the bytes, ${(decoded - bytes).toFixed(1)} s decode them, ${(folded - decoded).toFixed(1)} s fold them`,
  );
}

/** Every ticket has a key and a digest, as those of real callers have. */
async function write(log: TicketLog): Promise<void> {
  const session = randomBytes(8).readBigUInt64LE() | 1n;
  const writer = log.openWriter();
  const ways = new Set<Promise<void>>();
  let sequence = 0;
  const append = async (event: LogEvent): Promise<void> => {
    const value = encodeRecord({ session, sequence: ++sequence, wall_ms: Date.now(), event });
    const way = writer.append({ key: "queue" in event ? event.queue : "", value });
    ways.add(way);
    void way.finally(() => ways.delete(way));
    // In rounds, so that the event loop gets its turn between.
    if (ways.size >= AHEAD) await Promise.all(ways);
  };
  await append({ kind: "genesis", id: randomBytes(16).toString("hex") });
  await append({ kind: "session_opened", former: 0n, node: "bench" });
  const settings = {
    ...SETTINGS_DEFAULTS,
    kind: "pass",
    mode: "paused",
    max_active: 1,
    max_wait_ms: 24 * 60 * 60_000,
    max_waiting: 2 * TICKETS,
  } as const;
  await append({ kind: "queue_configured", queue: "sale", settings, revision: 1, reason: "" });
  // Every key another one, and spread as hashes are.
  const hashes = randomBytes(24 * TICKETS);
  for (let n = 0; n < TICKETS; n++) {
    const [key, digest] = [hashes.subarray(24 * n, 24 * n + 16), hashes.subarray(24 * n + 16, 24 * n + 24)];
    await append({
      kind: "ticket_issued",
      queue: "sale",
      key,
      subject: undefined,
      digest,
      stored_request: false,
    });
  }
  await Promise.all(ways);
  await writer.close();
}

/** How long it takes from a log that is open to the end of its records. */
async function seconds(
  open: () => Promise<TicketLog>,
  read: (log: TicketLog) => Promise<void>,
): Promise<number> {
  const log = await open();
  const begun_ms = performance.now();
  await read(log);
  const took = (performance.now() - begun_ms) / 1_000;
  await log.close();
  return took;
}

async function follow(log: TicketLog, take: (entry: StoredEntry) => void): Promise<void> {
  const end = await log.end();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const following = log.follow(0, {
    entries(batch) {
      for (const entry of batch) take(entry);
      if ((batch.at(-1)?.offset ?? -1) + 1 >= end) resolve();
    },
    failed: reject,
  });
  await promise;
  following.close();
}

async function fold(log: TicketLog): Promise<void> {
  const reader = new Reader(log);
  await reader.readToEnd();
  const waiting = reader.fold.queue("sale")?.waiting;
  if (waiting !== TICKETS) throw new Error(`${waiting} tickets wait, not ${TICKETS}`);
  reader.close();
}
