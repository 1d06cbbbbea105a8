// The file that the keys are kept in: read, and made once. Mode 0600, for whoever reads it can do everything.

import { randomBytes } from "node:crypto";
import { type FileHandle, link, mkdir, open, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { formatKeys, parseKeys } from "./format.ts";
import { freshKeys, type Keys, KeysError } from "./keys.ts";

/** A larger file is not ours. */
const FILE_BYTES_MAX = 1024 * 1024;

/** The mode's bits of all who are not the owner. */
const OTHERS = 0o077;

export interface KeysFile {
  readonly text: string;
  /** Differs when the file was changed, or another put in its place. */
  readonly stamp: string;
  readonly mode: number;
  readonly owner: { readonly uid: number; readonly gid: number };
}

/**
 * Reads the keys' file; makes it, with fresh secrets and one API key, where there is none and `create` says so.
 *
 * @throws KeysError when it is absent (without `create`), cannot be read or made, or is not a keys' file: the message
 * names the file and what to do.
 */
export async function openKeys(options: { file: string; create: boolean }): Promise<Keys> {
  return parseKeys((await openKeysFile(options)).text, options.file);
}

/** The same, as it stands in the file. */
export async function openKeysFile(options: { file: string; create: boolean }): Promise<KeysFile> {
  const found = await readKeysFile(options.file);
  if (found !== undefined) return found;
  if (!options.create) {
    throw new KeysError(
      `${options.file}: there is no keys' file here. Copy the one that the log's tickets were made with.`,
    );
  }
  await writeOnce(options.file, formatKeys(freshKeys())).catch((error: unknown) => {
    throw failure(options.file, "made", error);
  });
  // Another process may have been first: what is there counts.
  const made = await readKeysFile(options.file);
  if (made === undefined) throw new KeysError(`${options.file}: the keys' file was made, and is not there`);
  return made;
}

/** Absent: there is none. Throws a `KeysError` where it cannot be read. */
export async function readKeysFile(file: string): Promise<KeysFile | undefined> {
  try {
    await using handle = await open(file);
    return await contentOf(handle, file);
  } catch (error) {
    if (error instanceof KeysError) throw error;
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw failure(file, "read", error);
  }
}

/** What to say of a file that others than its owner can read; absent where none can. */
export function exposure(file: string, { mode }: Pick<KeysFile, "mode">): string | undefined {
  // Windows has no such bits.
  if (process.platform === "win32" || (mode & OTHERS) === 0) return undefined;
  const octal = (mode & 0o777).toString(8).padStart(4, "0");
  return `${file}: others than its owner may read the keys (mode ${octal}), and with them do everything: chmod 600 ${file}`;
}

export function failure(file: string, what: "read" | "made" | "changed", cause: unknown): KeysError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new KeysError(`${file}: the keys' file cannot be ${what} (${code ?? message})`, { cause });
}

async function contentOf(handle: FileHandle, file: string): Promise<KeysFile> {
  // Looked at before it is read: what changes meanwhile has another stamp next time.
  const { dev, ino, size, mtimeMs, ctimeMs, mode, uid, gid } = await handle.stat();
  if (size > FILE_BYTES_MAX) throw new KeysError(`${file}: too large for a keys' file; name the right one`);
  const stamp = [dev, ino, size, mtimeMs, ctimeMs].join("/");
  return { text: await handle.readFile("utf8"), stamp, mode, owner: { uid, gid } };
}

/** Whole or not at all, never over one that is there, and still there after a power loss. */
async function writeOnce(file: string, text: string): Promise<void> {
  const folder = dirname(file);
  const temporary = temporaryName(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await writeFile(temporary, text, { flag: "wx", mode: 0o600, flush: true });
    await link(temporary, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(folder);
}

/** Not by the process's id: two containers that share the folder may both be process 1. */
export function temporaryName(file: string): string {
  return `${file}.${randomBytes(8).toString("hex")}.tmp`;
}

/** So that a name is still there after a power loss. */
export async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder);
  await handle.sync();
}
