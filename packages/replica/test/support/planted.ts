// The shipped replica with a fault in it: a copy of its source in which one place is replaced by another text.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const SOURCE = fileURLToPath(new URL("../../src", import.meta.url));
/** Where the copy finds the packages that it imports: at the root of the repository. */
const MODULES = join(SOURCE, "../../../node_modules");

/** What is changed: the text must be there exactly once, so that a fault never quietly goes out of date. */
export interface Change {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The package, as its source would be with this change. */
export async function replicaWith(change: Change): Promise<typeof import("../../src/index.ts")> {
  const folder = mkdtempSync(join(tmpdir(), "usher-planted-"));
  try {
    cpSync(SOURCE, folder, { recursive: true });
    symlinkSync(MODULES, join(folder, "node_modules"));
    const path = join(folder, change.file);
    const parts = readFileSync(path, "utf8").split(change.find);
    if (parts.length !== 2) {
      throw new Error(`${change.file} has ${parts.length - 1} times, not once: ${change.find}`);
    }
    writeFileSync(path, parts.join(change.replace));
    return await import(pathToFileURL(join(folder, "index.ts")).href);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
