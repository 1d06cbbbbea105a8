// What goes into the package: every file that its entries load, from whichever workspace, and nothing else. Files of other
// workspaces, which nobody can install, come to lie under `vendor/`, and imports of them become relative. Imports name
// files as they are called once they are built, since the compiler leaves imports in declarations as they are.

import { readdir, readFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { parseSync } from "vite";
import { entriesOf, type Manifest } from "./manifest.ts";

export interface Gathered {
  /** By their paths within the package's sources. */
  readonly files: ReadonlyMap<string, string>;
  /** The packages that they import. */
  readonly packages: ReadonlySet<string>;
}

/** `entries`: files from the root, all in one workspace. */
export async function gather(root: string, entries: readonly string[]): Promise<Gathered> {
  const workspaces = await workspacesIn(root);
  const own = posix.dirname(entries[0] ?? "");
  const files = new Map<string, string>();
  const packages = new Set<string>();
  const toDo = new Set(entries);
  for (const path of toDo) {
    const text = await readFile(join(root, path), "utf8");
    const pieces: string[] = [];
    let done = 0;
    for (const { value, start, end } of requestsIn(path, text)) {
      const target = targetOf(value, path, workspaces);
      if (target === undefined) {
        if (!value.startsWith("node:")) packages.add(nameOf(value));
        continue;
      }
      toDo.add(target);
      if (target.endsWith(".js")) toDo.add(target.replace(/\.js$/, ".d.ts"));
      pieces.push(text.slice(done, start), JSON.stringify(between(placeOf(path, own), placeOf(target, own))));
      done = end;
    }
    files.set(placeOf(path, own), pieces.join("") + text.slice(done));
  }
  return { files, packages };
}

interface Request {
  readonly value: string;
  /** With its quotes. */
  readonly start: number;
  readonly end: number;
}

/** What a file imports, in the order of its text. */
function requestsIn(path: string, text: string): Request[] {
  const { module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  if (module.dynamicImports.length > 0)
    throw new Error(`${path}: a dynamic import, which the packaging of the client does not know of`);
  const exported = module.staticExports.flatMap(({ entries }) => entries.map((entry) => entry.moduleRequest));
  const all = [...module.staticImports.map((one) => one.moduleRequest), ...exported];
  const byStart = new Map(all.filter((request) => request !== null).map((one) => [one.start, one]));
  return [...byStart.values()].sort((a, b) => a.start - b.start);
}

/** The file that is imported, from the root; absent for one of a package from elsewhere. */
function targetOf(
  specifier: string,
  importer: string,
  workspaces: ReadonlyMap<string, string>,
): string | undefined {
  return specifier.startsWith(".")
    ? posix.join(posix.dirname(importer), specifier)
    : workspaces.get(specifier);
}

function nameOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** Where a file comes to lie. */
function placeOf(path: string, own: string): string {
  if (path.startsWith(`${own}/`)) return path.slice(own.length + 1);
  return posix.join("vendor", path.replace(/^packages\/([^/]+)\/src\//, "$1/"));
}

function between(from: string, to: string): string {
  const path = posix.relative(posix.dirname(from), to).replace(/\.ts$/, ".js");
  return path.startsWith(".") ? path : `./${path}`;
}

/** The entries of all workspaces: `@usher/protocol/queue` to its file, from the root. */
async function workspacesIn(root: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const name of await readdir(join(root, "packages"))) {
    const path = posix.join("packages", name, "package.json");
    const manifest = JSON.parse(await readFile(join(root, path), "utf8")) as Manifest;
    for (const [entry, target] of entriesOf(manifest))
      found.set(posix.join(manifest.name, entry), posix.join(dirname(path), target));
  }
  return found;
}
