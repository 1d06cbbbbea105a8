// What is shipped, with a fault in it: a copy of a package's source in which one place is replaced by another text. A
// test that means to notice the fault has to.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const root = resolve(import.meta.dirname, "../..");

/** What is changed: the text must be there exactly once, so that a fault never quietly goes out of date. */
export interface Change {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The package in that folder, as its source would be with this change. */
export function planted<Package>(folder: string, change: Change): Promise<Package> {
  return imported(folder, (copy) => {
    const path = join(copy, change.file);
    const parts = readFileSync(path, "utf8").split(change.find);
    if (parts.length !== 2) {
      throw new Error(`${change.file} has ${parts.length - 1} times, not once: ${change.find}`);
    }
    writeFileSync(path, parts.join(change.replace));
  });
}

/** The package in that folder with nothing private: `#name` is called `_name`, so that a test may change what nobody
 * else could. For packages whose source is in one folder. */
export function opened<Package>(folder: string): Promise<Package> {
  return imported(folder, (copy) => {
    for (const file of readdirSync(copy).filter((name) => name.endsWith(".ts"))) {
      const path = join(copy, file);
      writeFileSync(path, readFileSync(path, "utf8").replaceAll(/#(?=[a-z])/g, "_"));
    }
  });
}

async function imported<Package>(folder: string, edit: (copy: string) => void): Promise<Package> {
  const home = mkdtempSync(join(tmpdir(), "usher-planted-"));
  const copy = join(home, "src");
  try {
    cpSync(join(root, folder, "src"), copy, { recursive: true });
    cpSync(join(root, folder, "package.json"), join(home, "package.json"));
    // Where the copy finds the packages that it imports.
    symlinkSync(join(root, "node_modules"), join(home, "node_modules"));
    edit(copy);
    return await import(pathToFileURL(join(copy, "index.ts")).href);
  } finally {
    rmSync(home, { recursive: true });
  }
}
