// The directory and the file of a database: made for their owner alone, and made to last.

import { mkdir, open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { LogError } from "../log.ts";

/** Makes what is missing, and returns the database's path. Rejects with a `LogError`. */
export async function prepareDirectory(directory: string, name: string): Promise<string> {
  const path = resolve(directory);
  try {
    await makeDirectory(path);
    const file = join(path, name);
    await makeFile(file);
    return file;
  } catch (cause) {
    const full = cause instanceof Error && "code" in cause && cause.code === "ENOSPC";
    throw new LogError(full ? "disk_full" : "unavailable", `${path}: ${String(cause)}`, { cause });
  }
}

async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  // A new name is only safe from a power loss when the directory that holds it has been flushed.
  for (let made = path; made !== dirname(first); made = dirname(made)) await flush(dirname(made));
}

/** SQLite would make it, too, but for all to read. */
async function makeFile(file: string): Promise<void> {
  try {
    // Never opens one that is there: closing it would let go of the lock, should this process have it open already.
    const handle = await open(file, "wx", 0o600);
    await handle.close();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return;
    throw error;
  }
  await flush(dirname(file));
}

async function flush(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
