// Opening the SQLite log: for one process, in a place of its own, and nothing but an Usher log.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSqliteLog, type TicketLog } from "../src/index.ts";
import { appendAll, numbered, texts } from "./contract/entries.ts";
import { Reader, readAll } from "./contract/reader.ts";
import { temporaryDirectory } from "./sqlite-harness.ts";

let root: string;
let directory: string;
let file: string;
const opened: TicketLog[] = [];
const children: ChildProcess[] = [];
beforeEach(async () => {
  root = await temporaryDirectory();
  directory = join(root, "data");
  file = join(directory, "log.db");
});

afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
  for (const child of children.splice(0)) await ended(child, "SIGKILL");
  await rm(root, { recursive: true, force: true });
});

async function open(): Promise<TicketLog> {
  const log = await openSqliteLog({ directory });
  opened.push(log);
  return log;
}

/** Opens the log in another process, which holds it. */
async function openElsewhere() {
  const program = fileURLToPath(new URL("programs/open.ts", import.meta.url));
  const child = spawn(process.execPath, [program, directory], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  for await (const line of createInterface(child.stdout)) return { child, said: JSON.parse(line) };
  throw new Error("the other process said nothing");
}

async function ended(child: ChildProcess, signal: "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await exit;
}

describe("one process at a time", () => {
  it("refuses a second process, and says which directory and what to do", async () => {
    await open();
    const { said } = await openElsewhere();
    expect(said.code).toBe("in_use");
    expect(said.message).toContain(directory);
    expect(said.message).toContain("Stop that one, or give this one a directory of its own");
  });

  it("is refused while another process has it, and opens once that one was killed", async () => {
    const { child } = await openElsewhere();
    await expect(open()).rejects.toMatchObject({ code: "in_use", outcome: "refused" });
    await ended(child, "SIGKILL");
    await appendAll(await open(), ["first"]);
  });

  it("refuses a second opening in the same process, and keeps others out nevertheless", async () => {
    const log = await open();
    await expect(open()).rejects.toMatchObject({ code: "in_use" });
    expect((await openElsewhere()).said.code).toBe("in_use");
    await appendAll(log, ["still works"]);
  });

  it("lets the next process in after it has closed", async () => {
    const log = await open();
    await appendAll(log, numbered(3));
    await log.close();
    expect((await openElsewhere()).said).toEqual({ end: 3 });
  });
});

describe("the place", () => {
  it("makes directories and files that are for their owner alone", async () => {
    directory = join(root, "some", "where");
    await appendAll(await open(), ["first"]);
    const modes = ["", "log.db", "log.db-wal"].map(
      async (name) => (await stat(join(directory, name))).mode & 0o777,
    );
    expect(await Promise.all(modes)).toEqual([0o700, 0o600, 0o600]);
  });

  it("keeps its file to its owner in a directory that was open to all", async () => {
    await mkdir(directory, { mode: 0o755 });
    await open();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("says which path cannot be had", async () => {
    await writeFile(directory, "a file, not a directory");
    const refused = expect(open()).rejects;
    await refused.toMatchObject({ code: "unavailable", message: expect.stringContaining(directory) });
  });

  it("numbers entries from 0 without gaps", async () => {
    const log = await open();
    await Promise.all([appendAll(log, numbered(700)), log.putPayload({ key, bytes: new Uint8Array(1) })]);
    await appendAll(log, numbered(10));
    expect((await readAll({}, log)).map(({ offset }) => offset)).toEqual(
      Array.from({ length: 710 }, (_, n) => n),
    );
  });

  it("refuses limits that cannot work", async () => {
    await expect(openSqliteLog({ directory, limits: { pending_max: 0 } })).rejects.toThrow(RangeError);
    await expect(openSqliteLog({ directory, limits: { pending_bytes_max: 1_000 } })).rejects.toThrow(
      RangeError,
    );
  });
});

const key = { session: 1n, sequence: 1, attempt: 0 };

describe("what is no log of this Usher", () => {
  /** Changes the database by hand. */
  function change(sql: string): void {
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
  }

  async function refusedUntouched(words: string): Promise<void> {
    const before = await readFile(file);
    const refused = expect(open()).rejects;
    await refused.toMatchObject({
      code: "corrupt",
      outcome: "refused",
      message: expect.stringContaining(words),
    });
    expect((await readFile(file)).equals(before)).toBe(true);
  }

  it("refuses another program's database, and leaves it as it was", async () => {
    await mkdir(directory);
    change("CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('https://example.com')");
    await refusedUntouched("not an Usher log");
  });

  it("refuses another program's database that calls itself something", async () => {
    await mkdir(directory);
    change("PRAGMA application_id = 1");
    await refusedUntouched("not an Usher log");
  });

  it("refuses a file that is no database", async () => {
    await mkdir(directory);
    await writeFile(file, "Dear diary, ".repeat(1_000));
    await refusedUntouched(file);
  });

  it("refuses a newer schema, and says so", async () => {
    await (await open()).close();
    change("PRAGMA user_version = 2");
    await refusedUntouched("newer Usher (schema 2; this one knows 1)");
  });

  it("begins a log in an empty file", async () => {
    await mkdir(directory);
    await writeFile(file, "");
    expect(await (await open()).end()).toBe(0);
  });

  it("halts a follower at a missing entry", async () => {
    const log = await open();
    await appendAll(log, numbered(20));
    await log.close();
    change('DELETE FROM entries WHERE "offset" = 7');
    const again = await open();
    const reader = new Reader({}, again);
    await expect(reader.reaches(20)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("entry 7"),
    });
    expect(texts(reader.got)).toEqual(numbered(7));
  });

  it("says that it is damaged where a page is, and takes nothing more", async () => {
    const log = await open();
    await appendAll(log, numbered(5_000));
    await log.close();
    const pages = await readFile(file);
    pages.fill(0xa5, 5 * 4_096, 6 * 4_096);
    await writeFile(file, pages);
    const again = await open();
    const reader = new Reader({}, again);
    await expect(reader.reaches(5_000)).rejects.toMatchObject({ code: "corrupt" });
    expect(texts(reader.got)).toEqual(numbered(5_000).slice(0, reader.got.length));
    await expect(appendAll(again, ["more"])).rejects.toMatchObject({ code: "corrupt", outcome: "refused" });
  });

  it("refuses a file that has lost its end", async () => {
    const log = await open();
    await appendAll(log, numbered(5_000));
    await log.close();
    await truncate(file, 8 * 4_096);
    await expect(open()).rejects.toMatchObject({ code: "corrupt" });
  });
});
