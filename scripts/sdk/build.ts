// The client as strangers install it: JavaScript with declarations, complete in itself, in a tarball. In this repository
// it runs as TypeScript, and only here it is built.
//
//   sources.ts    what goes into it, gathered from the workspaces       manifest.ts   its package.json
//   reference.ts  its API reference, from the docstrings
//
//   npm run build:sdk               to .usher/sdk/
//   npm run build:sdk -- <folder>

import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { entriesOf, type Manifest, shippedManifest } from "./manifest.ts";
import { type Gathered, gather } from "./sources.ts";

export const ROOT = dirname(dirname(import.meta.dirname));

/** The folder of the package, from the root. */
export const SDK = "packages/sdk";

export interface Built {
  /** The package, unpacked. */
  readonly folder: string;
  readonly tarball: string;
}

/** What the sources are compiled to. The declarations stand alone: whoever installs them has libraries, types of Node and
 * settings of their own. Every supported Node and browser has all of ES2022. */
const COMPILER_OPTIONS = {
  target: "es2022",
  lib: ["es2024", "esnext.disposable"],
  types: ["node"],
  module: "nodenext",
  verbatimModuleSyntax: true,
  strict: true,
  skipLibCheck: true,
  declaration: true,
  sourceMap: true,
  inlineSources: true,
  rootDir: "src",
  outDir: "dist",
} as const;

/** Writes the package and its tarball into the folder; what was there of an earlier one goes. */
export async function buildSdk(target: string): Promise<Built> {
  const folder = join(target, "package");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const { manifest, packages } = await compileSdk(join(folder, "dist"));
  const shipped = shippedManifest(manifest, packages);
  await writeFile(join(folder, "package.json"), `${JSON.stringify(shipped, undefined, 2)}\n`);
  for (const path of ["README.md", "reference"])
    await cp(join(ROOT, SDK, path), join(folder, path), { recursive: true });
  await cp(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  return { folder, tarball: await pack(folder, target) };
}

/** Writes the JavaScript and the declarations alone. */
export async function compileSdk(
  outDir: string,
): Promise<{ readonly manifest: Manifest; readonly packages: ReadonlySet<string> }> {
  const manifest = JSON.parse(await readFile(join(ROOT, SDK, "package.json"), "utf8")) as Manifest;
  const paths = entriesOf(manifest).map(([, file]) => file);
  const entries = paths.map((file) => join(SDK, file));
  const gathered = await gather(ROOT, entries);
  await compile(gathered, paths, outDir);
  return { manifest, packages: gathered.packages };
}

async function compile({ files }: Gathered, entries: readonly string[], outDir: string): Promise<void> {
  const stage = await mkdtemp(join(tmpdir(), "usher-sdk-"));
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  };
  try {
    for (const [path, text] of files) {
      await write(join(stage, "src", path), text);
      // What was generated is JavaScript already.
      if (/\.(js|d\.ts)$/.test(path)) await write(join(stage, "dist", path), text);
    }
    await symlink(join(ROOT, "node_modules"), join(stage, "node_modules"));
    const config = { compilerOptions: COMPILER_OPTIONS, files: entries };
    await write(join(stage, "package.json"), '{ "type": "module" }');
    await write(join(stage, "tsconfig.json"), JSON.stringify(config));
    await run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", stage]);
    await cp(join(stage, "dist"), outDir, { recursive: true });
  } finally {
    await rm(stage, { recursive: true });
  }
}

async function pack(folder: string, target: string): Promise<string> {
  const said = await run("npm", ["pack", folder, "--pack-destination", target, "--json", "--ignore-scripts"]);
  const [packed] = Object.values(JSON.parse(said) as Record<string, { filename: string }>);
  if (packed === undefined) throw new Error(`npm pack has packed nothing; it said: ${said}`);
  return join(target, packed.filename);
}

/** What a command printed; rejects with all of it where it fails. */
async function run(command: string, args: readonly string[]): Promise<string> {
  const failed = (error: { stdout?: string; stderr?: string; message: string }) => {
    throw new Error(`${command} ${args.join(" ")}: ${error.stdout}${error.stderr}` || error.message);
  };
  const { stdout } = await promisify(execFile)(command, [...args], { encoding: "utf8" }).catch(failed);
  return stdout;
}

if (import.meta.main) {
  const { tarball } = await buildSdk(resolve(process.argv[2] ?? join(ROOT, ".usher/sdk")));
  console.log(tarball);
}
