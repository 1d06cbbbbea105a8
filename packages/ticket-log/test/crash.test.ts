// Nothing acknowledged is lost, nothing is torn: by a killed process, or by a power loss.

import { closeSync, openSync, statSync, truncateSync, writeSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pick, random } from "../../../test/support/random.ts";
import { openSqliteLog, type TicketLog } from "../src/index.ts";
import { readAll } from "./contract/reader.ts";
import { AT_ONCE, appendUntilKilled, type Moment } from "./programs/appending.ts";
import { type RecordId, recordEntry, recordId, recordPayload } from "./programs/records.ts";
import { temporaryDirectory } from "./sqlite-harness.ts";

const SEED = 2026;
const KILLS = 55;
const CUTS = 60;

/** Starting a process, or opening a log, takes many times as long on a busy machine. */
const TIMEOUT_MS = 240_000;

/** The layout of SQLite's write-ahead log: a header, then frames of a page each (sqlite.org/fileformat2.html#walformat). */
const FRAMES_AT = 32;
const FRAME_BYTES = 24 + 4096;

let root: string;
let directory: string;

beforeEach(async () => {
  root = await temporaryDirectory();
  directory = join(root, "data");
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

function named({ round, n }: RecordId): string {
  return `${round}/${n}`;
}

/** Which records are in the log, in order; each found intact, with its payload. */
async function recordsIn(log: TicketLog): Promise<RecordId[]> {
  const ids = (await readAll({}, log)).map(recordId);
  for (let at = 0; at < ids.length; at += 500) {
    const some = ids.slice(at, at + 500).map(recordPayload);
    const found = await Promise.all(some.map(({ key }) => log.getPayload(key)));
    const torn = some.findIndex(({ bytes }, n) => !Buffer.from(bytes).equals(found[n] ?? new Uint8Array()));
    expect(torn === -1 ? "all intact" : `${named(ids[at + torn]!)} has lost its payload`).toBe("all intact");
  }
  return ids;
}

/** That the records which are not in the log have no payload either. */
async function expectNoPayloads(log: TicketLog, ids: readonly RecordId[]): Promise<void> {
  for (const id of ids) expect(await log.getPayload(recordPayload(id).key), named(id)).toBeUndefined();
}

/** Kills a program that appends to the directory, in one round after the other, and checks after each what is there:
 * every record that was acknowledged in any round so far, in order, intact. */
async function killAndCheck(rounds: number, early = false): Promise<number[][]> {
  const next = random(SEED);
  const acknowledged: number[][] = [];
  let before: string[] = [];
  for (let round = 0; round < rounds; round++) {
    // One in eight while it starts, opens and recovers; the others while it writes.
    const moment: Moment =
      round % 8 === 7
        ? { after: "start", ms: pick(next, 250) }
        : { after: "acknowledgement", ms: next() * 40 };
    acknowledged.push(await appendUntilKilled({ directory, round, moment, early }));
    const log = await openSqliteLog({ directory });
    try {
      const found = await recordsIn(log);
      const names = found.map(named);
      expect(names.slice(0, before.length)).toEqual(before);
      before = names;
      for (const [past, numbers] of acknowledged.entries()) {
        const there = found.filter((id) => id.round === past).map(({ n }) => n);
        expect(there.slice(0, numbers.length)).toEqual(numbers);
        // What was appended but not acknowledged comes after all that was, and is no more than was under way.
        expect(there.length - numbers.length).toBeLessThanOrEqual(AT_ONCE);
      }
      const count = found.filter((id) => id.round === round).length;
      await expectNoPayloads(
        log,
        Array.from({ length: AT_ONCE }, (_, n) => ({ round, n: count + n })),
      );
    } finally {
      await log.close();
    }
  }
  return acknowledged;
}

describe("a process killed at any moment", () => {
  it(
    `loses no acknowledged record of ${KILLS} rounds on the same directory`,
    async () => {
      const acknowledged = await killAndCheck(KILLS);
      expect(acknowledged.flat().length).toBeGreaterThan(KILLS);
    },
    TIMEOUT_MS,
  );

  it(
    "would be seen to lose one that was acknowledged too early",
    async () => {
      await expect(killAndCheck(KILLS, true)).rejects.toThrow(/toEqual|equal/);
    },
    TIMEOUT_MS,
  );

  it("would be seen to tear an entry, or to lose a payload", async () => {
    const log = await openSqliteLog({ directory });
    const [whole, torn] = [
      { round: 0, n: 0 },
      { round: 0, n: 1 },
    ];
    const writer = log.openWriter();
    await writer.append(recordEntry(whole), { payload: recordPayload(whole) });
    await recordsIn(log);
    await log.dropPayloads([recordPayload(whole).key]);
    await expect(recordsIn(log)).rejects.toThrow("0/0 has lost its payload");
    const entry = recordEntry(torn);
    entry.value[7]! ^= 1;
    await writer.append(entry, { payload: recordPayload(torn) });
    await expect(recordsIn(log)).rejects.toThrow("is torn");
    await log.close();
  });
});

/** What a power loss may leave of the end of a file: nothing, a hole, or what was on the disk before. */
const LEFT = ["nothing", "zeros", "noise"] as const;

function damage(file: string, at: number, left: (typeof LEFT)[number], next: () => number): void {
  const lost = statSync(file).size - at;
  if (left === "nothing") truncateSync(file, at);
  else {
    const bytes = Uint8Array.from({ length: lost }, () => (left === "zeros" ? 0 : pick(next, 256)));
    const handle = openSync(file, "r+");
    writeSync(handle, bytes, 0, lost, at);
    closeSync(handle);
  }
}

describe("a power loss that tears the end of the write-ahead log", () => {
  it(
    `leaves a prefix of whole records, and a log that works on, at ${CUTS} places`,
    async () => {
      const next = random(SEED + 1);
      // Late enough for many transactions, however slow the machine is.
      const moment: Moment = { after: "acknowledgement", nth: 20 * AT_ONCE, ms: 0 };
      await appendUntilKilled({ directory, round: 0, moment });
      const wal = statSync(join(directory, "log.db-wal")).size;
      const whole = join(root, "whole");
      await cp(directory, whole, { recursive: true });
      const log = await openSqliteLog({ directory: whole });
      const all = (await recordsIn(log)).map(named);
      await log.close();
      expect(all.length).toBeGreaterThan(AT_ONCE);

      const counts = new Set<number>();
      for (let cut = 0; cut < CUTS; cut++) {
        const torn = join(root, `torn-${cut}`);
        await cp(directory, torn, { recursive: true });
        // The first in the header, the second nowhere, some at the edges of frames, the rest anywhere.
        const frame = FRAMES_AT + pick(next, Math.floor((wal - FRAMES_AT) / FRAME_BYTES)) * FRAME_BYTES;
        const at =
          [pick(next, FRAMES_AT), wal][cut] ?? (cut % 4 === 0 ? frame + pick(next, 3) - 1 : pick(next, wal));
        damage(join(torn, "log.db-wal"), at, LEFT[cut % LEFT.length]!, next);

        const opened = await openSqliteLog({ directory: torn });
        const found = await recordsIn(opened);
        expect(found.map(named)).toEqual(all.slice(0, found.length));
        const lost = all
          .slice(found.length, found.length + AT_ONCE)
          .map((name) => Number(name.split("/")[1]));
        await expectNoPayloads(
          opened,
          lost.map((n) => ({ round: 0, n })),
        );
        counts.add(found.length);
        if (at === wal) expect(found.length).toBe(all.length);

        const later = { round: 1, n: cut };
        await opened.openWriter().append(recordEntry(later), { payload: recordPayload(later) });
        await opened.close();
        if (cut % 4 === 0) {
          const again = await openSqliteLog({ directory: torn });
          expect((await recordsIn(again)).map(named)).toEqual([...found, later].map(named));
          await again.close();
        }
        await rm(torn, { recursive: true });
      }
      // The places did cut off something, and different amounts of it.
      expect(counts.size).toBeGreaterThan(5);
    },
    TIMEOUT_MS,
  );
});
