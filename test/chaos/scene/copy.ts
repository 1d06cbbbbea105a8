// The repository's programs with a fault in their source: a copy in a folder of its own, in which one place is replaced
// by another text. Started from there, a node runs with the fault.

import {
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Change } from "../../support/planted.ts";

const ROOT = resolve(import.meta.dirname, "../../..");

/** What a node needs of the repository. */
const COPIED = ["package.json", "packages", "services"];

export interface Copy extends AsyncDisposable {
  /** Its folder, with a slash at the end. */
  readonly root: string;
}

/** `change.file` counts from the root; the text to be replaced must be there exactly once. */
export async function copyWith(change: Change): Promise<Copy> {
  const root = await mkdtemp(join(tmpdir(), "usher-copy-"));
  const remove = () => rm(root, { recursive: true, force: true });
  try {
    for (const path of COPIED) {
      const filter = (source: string) => !/\/(test|node_modules)$/.test(source);
      await cp(join(ROOT, path), join(root, path), { recursive: true, filter });
    }
    await linkModules(root);
    const file = join(root, change.file);
    const parts = (await readFile(file, "utf8")).split(change.find);
    if (parts.length !== 2)
      throw new Error(`${change.file} has ${parts.length - 1} times, not once: ${change.find}`);
    await writeFile(file, parts.join(change.replace));
    return { root: `${root}/`, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** What is fetched is linked; our own packages, which are links there, lead to their copies. */
async function linkModules(root: string): Promise<void> {
  for (const path of await modulesIn("node_modules")) {
    const link = join(root, path);
    const found = await lstat(join(ROOT, path));
    await mkdir(dirname(link), { recursive: true });
    // A link of npm's is relative, so that it leads to the copy here.
    await symlink(found.isSymbolicLink() ? await readlink(join(ROOT, path)) : join(ROOT, path), link);
  }
}

/** The packages in a folder of modules, those of a scope included. */
async function modulesIn(folder: string): Promise<string[]> {
  const names = await readdir(join(ROOT, folder));
  const nested = await Promise.all(
    names
      .filter((name) => !name.startsWith("."))
      .map((name) => (name.startsWith("@") ? modulesIn(join(folder, name)) : [join(folder, name)])),
  );
  return nested.flat();
}
