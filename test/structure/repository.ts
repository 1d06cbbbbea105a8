// The repository as the structure tests see it: its workspaces, and the text of its files.

import { readdir, readFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";

export const ROOT = dirname(dirname(import.meta.dirname));

/** A file by its path from the root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export interface Workspace {
  readonly name: string;
  /** From the root, such as `packages/queue`. */
  readonly folder: string;
  /** What its package.json declares: name to version. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** What others may import of it: "" or "/log" to the file behind it, from the root. */
  readonly entries: ReadonlyMap<string, string>;
}

export interface Repository {
  readonly workspaces: readonly Workspace[];
  /** For tests in every workspace, besides the workspace's own: name to version. */
  readonly devDependencies: Readonly<Record<string, string>>;
  /** Every file that is not fetched, ignored or binary. */
  readonly files: readonly SourceFile[];
}

/** What the .gitignore files name, and git itself. */
const NOT_OURS = new Set(["node_modules", ".git", ".usher", "coverage", "data", "out"]);
const BINARY = /\.(binpb|png|ico|woff2)$/;

export async function readRepository(): Promise<Repository> {
  const files = await Promise.all(
    (await pathsUnder("")).map(async (path) => ({ path, text: await readFile(join(ROOT, path), "utf8") })),
  );
  const manifests = files.filter(({ path }) =>
    /^(packages|services|examples)\/[^/]+\/package\.json$/.test(path),
  );
  const root = files.find(({ path }) => path === "package.json");
  if (root === undefined || manifests.length === 0) throw new Error(`no workspaces under ${ROOT}`);
  return {
    workspaces: manifests.map(readWorkspace),
    devDependencies: (JSON.parse(root.text) as Manifest).devDependencies ?? {},
    files,
  };
}

export function workspaceOf(path: string, { workspaces }: Repository): Workspace | undefined {
  return workspaces.find(({ folder }) => path.startsWith(`${folder}/`));
}

/** Tests may use more than what is shipped: the tools of the root. */
export function isTest(path: string): boolean {
  return /\/test\//.test(path) || path.startsWith("test/") || path.endsWith(".test.ts");
}

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly exports?: string | Readonly<Record<string, string | { readonly default: string }>>;
}

function readWorkspace({ path, text }: SourceFile): Workspace {
  const folder = posix.dirname(path);
  const { name, dependencies = {}, devDependencies = {}, exports = {} } = JSON.parse(text) as Manifest;
  const entries = typeof exports === "string" ? { ".": exports } : exports;
  return {
    name,
    folder,
    dependencies: { ...dependencies, ...devDependencies },
    entries: new Map(
      Object.entries(entries).map(([entry, target]) => [
        entry.slice(1),
        posix.join(folder, typeof target === "string" ? target : target.default),
      ]),
    ),
  };
}

async function pathsUnder(folder: string): Promise<string[]> {
  const entries = await readdir(join(ROOT, folder), { withFileTypes: true });
  const paths = await Promise.all(
    entries
      .filter(({ name }) => !NOT_OURS.has(name) && !BINARY.test(name) && !name.endsWith(".log"))
      .map(async (entry) => {
        const path = posix.join(folder, entry.name);
        if (entry.isDirectory()) return pathsUnder(path);
        return entry.isFile() ? [path] : [];
      }),
  );
  return paths.flat().sort();
}
