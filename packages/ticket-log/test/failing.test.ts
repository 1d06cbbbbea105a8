// The SQLite log when what it stands on fails: the disk, the worker, the files.

import { execFileSync } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LogError, openSqliteLog, type SqliteLogOptions, type TicketLog, type Writer } from "../src/index.ts";
import { BATCH } from "../src/limits.ts";
import { appendAll, entry, numbered, texts } from "./contract/entries.ts";
import { Reader, readAll } from "./contract/reader.ts";
import { temporaryDirectory } from "./sqlite-harness.ts";

let root: string;
let directory: string;
const opened: TicketLog[] = [];

beforeEach(async () => {
  root = await temporaryDirectory();
  directory = join(root, "data");
});

afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
  await rm(root, { recursive: true, force: true });
});

async function open(options: Omit<SqliteLogOptions, "directory"> = {}): Promise<TicketLog> {
  const log = await openSqliteLog({ directory, ...options });
  opened.push(log);
  return log;
}

const KiB = 1024;
const MiB = 1024 * KiB;

function payload(sequence: number, length: number) {
  return { key: { session: 1n, sequence, attempt: 0 }, bytes: new Uint8Array(length).fill(sequence) };
}

/** Appends until one is refused; returns that error, and the texts of those that were not. */
async function fill(writer: Writer, prefix: string): Promise<{ error: LogError; written: string[] }> {
  const written: string[] = [];
  for (let n = 0; ; n++) {
    const name = `${prefix} ${n}`;
    try {
      await writer.append(entry(name), { payload: payload(n, 20 * KiB) });
    } catch (error) {
      return { error: LogError.from(error), written };
    }
    written.push(name);
    if (n > 10_000) throw new Error("the disk is never full");
  }
}

describe("a full disk", () => {
  const full = { code: "disk_full", outcome: "refused", retryable: true };

  it("refuses what does not fit, keeps what does, and goes on when dropped payloads have made room", async () => {
    const log = await open({ file_bytes_max: MiB });
    const live = new Reader({}, log);
    const writer = log.openWriter();
    const { error, written } = await fill(writer, "first");
    expect(error).toMatchObject(full);
    expect(error.message).toContain(directory);
    expect(texts(await readAll({}, log))).toEqual(written);
    expect(await log.getPayload(payload(written.length, 0).key)).toBeUndefined();

    await log.dropPayloads([payload(0, 0).key, payload(1, 0).key]);
    await writer.append(entry("after"), { payload: payload(9_999, 20 * KiB) });
    await live.has(written.length + 1);
    expect(texts(live.got)).toEqual([...written, "after"]);
  });

  it("still drops payloads, even those whose drop is called together with what does not fit", async () => {
    const log = await open({ file_bytes_max: MiB });
    const writer = log.openWriter();
    await fill(writer, "first");
    const [appended, put, dropped] = await Promise.allSettled([
      writer.append(entry("too much"), { payload: payload(9_999, 200 * KiB) }),
      log.putPayload(payload(9_998, 200 * KiB)),
      log.dropPayloads([payload(0, 0).key]),
    ]);
    expect(appended).toMatchObject({ status: "rejected", reason: full });
    expect(put).toMatchObject({ status: "rejected", reason: full });
    expect(dropped).toMatchObject({ status: "fulfilled" });
    expect(await log.getPayload(payload(0, 0).key)).toBeUndefined();
    expect(await log.getPayload(payload(9_999, 0).key)).toBeUndefined();
  });

  it("forgets payloads by age, which makes room, too", async () => {
    let clock = 0;
    const log = await open({ file_bytes_max: MiB, now: () => clock });
    const writer = log.openWriter();
    await fill(writer, "first");
    clock = 1_000;
    await log.dropPayloadsOlderThan(500);
    await writer.append(entry("after"), { payload: payload(0, 500 * KiB) });
  });

  it.skipIf(!mayMount())("of a real file system refuses, keeps, and goes on once there is room", async () => {
    await mkdir(directory);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", directory]);
    try {
      const ballast = join(directory, "ballast");
      await writeFile(ballast, new Uint8Array(MiB));
      const log = await open();
      const writer = log.openWriter();
      const first = await fill(writer, "first");
      expect(first.error).toMatchObject(full);
      await expect(writer.append(entry("again"), { payload: payload(1, 20 * KiB) })).rejects.toMatchObject(
        full,
      );
      expect(texts(await readAll({}, log))).toEqual(first.written);

      await rm(ballast);
      const second = await fill(writer, "second");
      expect(second.error).toMatchObject(full);
      expect(second.written).not.toEqual([]);
      const written = [...first.written, ...second.written];
      expect(texts(await readAll({}, log))).toEqual(written);
      await log.close();
      expect(texts(await readAll({}, await open()))).toEqual(written);
      await opened.at(-1)!.close();
    } finally {
      execFileSync("umount", [directory]);
    }
  });

  it.skipIf(!mayMount())("from the start refuses to open, and opens once there is room", async () => {
    await mkdir(directory);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", directory]);
    try {
      const ballast = join(directory, "ballast");
      await writeFile(ballast, new Uint8Array(2 * MiB)).catch(() => {});
      await expect(open()).rejects.toMatchObject(full);
      await rm(ballast);
      const log = await open();
      await appendAll(log, ["first"]);
      await log.close();
    } finally {
      execFileSync("umount", [directory]);
    }
  });
});

/** Whether this process may mount a file system, as root may in most places. */
function mayMount(): boolean {
  try {
    execFileSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/tmp"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("a worker that dies", () => {
  /** A log, its worker, and what that has to do. */
  async function busy() {
    const started: Worker[] = [];
    const remember = (worker: Worker) => void started.push(worker);
    process.on("worker", remember);
    const log = await open();
    process.off("worker", remember);
    const names = numbered(5_000);
    const writer = log.openWriter();
    await writer.append(entry("before"));
    const appends = Promise.allSettled(names.map((name) => writer.append(entry(name))));
    return { log, worker: started[0]!, writer, names, appends };
  }

  it("ends every call: what it had is unknown, what waited is refused, nothing is left hanging", async () => {
    const { log, worker, names, appends } = await busy();
    await new Promise((resolve) => setImmediate(resolve));
    void worker.terminate();
    const others = Promise.allSettled([
      log.getPayload(payload(1, 0).key),
      log.dropPayloads([payload(1, 0).key]),
    ]);
    // Holds this thread until the worker is gone, so that it gets one batch more at most.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    for (const end of await others) {
      expect(end).toMatchObject({ reason: { code: "unavailable", outcome: "refused" } });
    }
    const ends = (await appends).map((end) => (end.status === "fulfilled" ? "written" : end.reason.outcome));
    for (const end of ends) expect(["written", "unknown", "refused"]).toContain(end);
    expect(ends).toContain("unknown");
    expect(ends.at(-1)).toBe("refused");

    // Whoever was told so finds it so.
    await log.close();
    const found = new Set(texts(await readAll({}, await open())));
    for (const [n, end] of ends.entries()) {
      if (end === "written") expect(found).toContain(names[n]);
      if (end === "refused") expect(found).not.toContain(names[n]);
    }
  });

  it("fails the log and its followers once, and the log can be closed and opened anew", async () => {
    const { log, worker, writer, appends } = await busy();
    const failures: LogError[] = [];
    log.follow(0, { entries() {}, failed: (error) => failures.push(error) });
    await worker.terminate();
    await appends;
    const failed = { code: "unavailable", outcome: "refused", retryable: true };
    await expect(writer.append(entry("later"))).rejects.toMatchObject(failed);
    await expect(log.putPayload(payload(1, 1))).rejects.toMatchObject(failed);
    await expect(log.getPayload(payload(1, 0).key)).rejects.toMatchObject(failed);
    await expect(log.end()).rejects.toMatchObject(failed);
    expect(() => log.openWriter()).toThrow(LogError);
    expect(() => log.follow(0, { entries() {}, failed() {} })).toThrow(LogError);
    expect(failures).toEqual([expect.objectContaining({ code: "unavailable" })]);
    await writer.close();
    await log.close();
    await appendAll(await open(), ["goes on"]);
  });
});

describe("a store that fails", () => {
  it("calls an append unknown when its commit fails, fails the log, and says no more than is known", async () => {
    await (await open()).close();
    const database = new DatabaseSync(join(directory, "log.db"));
    // Fails no statement, only the commit of a transaction that has this entry.
    database.exec(`
      CREATE TABLE trap (entry INTEGER REFERENCES entries DEFERRABLE INITIALLY DEFERRED);
      CREATE TRIGGER spring AFTER INSERT ON entries WHEN new.key = 'trap'
        BEGIN INSERT INTO trap VALUES (-1); END;
    `);
    database.close();
    const log = await open();
    const live = new Reader({}, log);
    const writer = log.openWriter();
    await writer.append(entry("before"));
    const ends = await Promise.allSettled([
      writer.append(entry("itself", "trap")),
      ...numbered(BATCH.records).map((name) => writer.append(entry(name))),
    ]);
    const unknown = { reason: { code: "unavailable", outcome: "unknown" } };
    for (const end of ends.slice(0, -1)) expect(end).toMatchObject(unknown);
    // The next batch was never begun.
    expect(ends.at(-1)).toMatchObject({ reason: { code: "unavailable", outcome: "refused" } });
    await expect(writer.append(entry("later"))).rejects.toMatchObject({
      code: "unavailable",
      outcome: "refused",
    });
    expect(texts(live.got)).toEqual(["before"]);
    expect(live.failure?.code).toBe("unavailable");
    await log.close();
    expect(texts(await readAll({}, await open()))).toEqual(["before"]);
  });

  it("fails, and does not crash, when its files are cut under it", async () => {
    const log = await open();
    const live = new Reader({}, log);
    for (const n of [1, 2, 3, 4]) await log.putPayload(payload(n, MiB));
    // By another process: see `copyDirectory`.
    execFileSync("truncate", ["-s", "0", join(directory, "log.db-wal"), join(directory, "log.db")]);
    const error = await log.getPayload(payload(1, 0).key).catch(LogError.from);
    expect(error).toMatchObject({ outcome: "refused" });
    expect(live.failure).toBeInstanceOf(LogError);
    await expect(log.putPayload(payload(5, 1))).rejects.toBeInstanceOf(LogError);
    await log.close();
  });
});

describe("a long catch-up", () => {
  it("leaves writers their turn", async () => {
    const log = await open();
    for (const round of numbered(25)) await appendAll(log, numbered(2_000, round));
    const reader = new Reader({}, log);
    await appendAll(log, ["meanwhile"]);
    expect(reader.got.length).toBeLessThan(50_000);
    await reader.has(50_001);
    expect(reader.got.map(({ offset }) => offset)).toEqual(Array.from({ length: 50_001 }, (_, n) => n));
  });
});
