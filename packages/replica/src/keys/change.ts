// Rewriting the keys' file: one writer at a time, and the file is the former or the next one, whole, whatever happens.

import { open, realpath, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { failure, type KeysFile, readKeysFile, syncFolder, temporaryName } from "./file.ts";
import { formatKeys, parseKeys } from "./format.ts";
import { type Keys, KeysError } from "./keys.ts";

/** How long another writer is waited for, in milliseconds; ten seconds, of which one needs a few milliseconds. Then it
 * was killed, and a person has to see to it: a lock that is broken by time alone is none. */
const LOCK_MS = 10_000;
const LOCK_EVERY_MS = 50;

const MODE_BITS = 0o777;

/**
 * Rewrites the file with what `change` makes of its keys, and returns all that it gave. The file's mode and owner stay.
 *
 * @throws KeysError when the file cannot be read or written, when another process is at it, and when `change` does.
 */
export async function changeKeys<Changed extends { readonly keys: Keys }>(
  file: string,
  change: (keys: Keys) => Changed,
): Promise<Changed> {
  const real = await realpath(file).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ENOENT" ? missing(file) : failure(file, "read", error);
  });
  await lock(real);
  try {
    const found = await readKeysFile(real);
    if (found === undefined) throw missing(file);
    const changed = applied(file, change, parseKeys(found.text, file));
    await replace(real, formatKeys(changed.keys), found).catch((error: unknown) => {
      throw failure(file, "changed", error);
    });
    return changed;
  } finally {
    await rm(lockOf(real), { force: true });
  }
}

function missing(file: string): KeysError {
  return new KeysError(`${file}: there is no keys' file here; usher init makes one`);
}

function applied<Changed>(file: string, change: (keys: Keys) => Changed, keys: Keys): Changed {
  try {
    return change(keys);
  } catch (error) {
    throw error instanceof KeysError ? new KeysError(`${file}: ${error.message}`, { cause: error }) : error;
  }
}

function lockOf(file: string): string {
  return `${file}.lock`;
}

async function lock(file: string): Promise<void> {
  const path = lockOf(file);
  const deadline_ms = performance.now() + LOCK_MS;
  for (;;) {
    try {
      await using _ = await open(path, "wx", 0o600);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw failure(file, "changed", error);
      if (performance.now() > deadline_ms)
        throw new KeysError(
          `${file}: another process is changing the keys, or was killed while it did; if none is, remove ${path}`,
        );
      await sleep(LOCK_EVERY_MS);
    }
  }
}

async function replace(file: string, text: string, { mode, owner }: KeysFile): Promise<void> {
  const temporary = temporaryName(file);
  try {
    await using handle = await open(temporary, "wx", 0o600);
    const { uid, gid } = await handle.stat();
    // Whoever runs the node reads the file, and need not be whoever changes it.
    if (uid !== owner.uid || gid !== owner.gid) await handle.chown(owner.uid, owner.gid);
    await handle.chmod(mode & MODE_BITS);
    await handle.writeFile(text);
    await handle.sync();
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(dirname(file));
}
