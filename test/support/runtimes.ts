// Runtimes beside Node that the client is tried on, at pinned versions: installed once into .usher/runtimes, by npm.
// `node test/support/runtimes.ts` installs them all, and prints where they are.

import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, glob, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const STORE = resolve(import.meta.dirname, "../../.usher/runtimes");

interface Runtime {
  readonly version: string;
  /** Of what is downloaded, in MB. */
  readonly download: number;
  /** Where the program is, once the package is installed: in the one of its packages that is for this machine. */
  readonly program: string;
}

const RUNTIMES = {
  bun: { version: "1.4.5", download: 42, program: "node_modules/@oven/*/bin/bun" },
  deno: { version: "2.9.6", download: 47, program: "node_modules/@deno/*/deno" },
} as const satisfies Readonly<Record<string, Runtime>>;

export type RuntimeName = keyof typeof RUNTIMES;

export const RUNTIME_NAMES = Object.keys(RUNTIMES) as readonly RuntimeName[];

/** How long an installation may take, in milliseconds; for the hook that awaits it. Five minutes: a slow network takes a
 * while for what is downloaded. */
export const RUNTIMES_WAIT_MS = 300_000;

/** The path of the program. Rejects with one line on what to do, or with what npm said. */
export async function runtimeProgram(name: RuntimeName): Promise<string> {
  const { version, download } = RUNTIMES[name];
  const folder = join(STORE, `${name}-${version}`);
  const there = await programIn(folder, name);
  if (there !== undefined) return there;
  console.error(`usher: installing ${name} ${version} with npm, ${download} MB to download ...`);
  await mkdir(STORE, { recursive: true });
  const fresh = await mkdtemp(join(STORE, "fresh-"));
  try {
    await install(fresh, name, version);
    if ((await programIn(fresh, name)) === undefined)
      throw new Error(`there is no ${name} ${version} for ${process.platform} on ${process.arch}`);
    // By a rename: it is there whole, or not at all. Another process may have put the same there in the meantime.
    await rename(fresh, folder).catch(async (error: unknown) => {
      if ((await programIn(folder, name)) === undefined) throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  const program = await programIn(folder, name);
  if (program === undefined) throw new Error(`${folder} was removed while ${name} was being installed`);
  return program;
}

/** Such as `1.2.3`. */
export function runtimeVersion(name: RuntimeName): string {
  return RUNTIMES[name].version;
}

/** In a project of its own. The packages' own scripts would only copy the program, and are not run. */
async function install(folder: string, name: RuntimeName, version: string): Promise<void> {
  await writeFile(join(folder, "package.json"), '{ "private": true }\n');
  const flags = ["--prefix", folder, "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"];
  const args = ["install", ...flags, "--loglevel=error", `${name}@${version}`];
  await promisify(execFile)("npm", args, { cwd: folder }).catch((error: { stderr?: string }) => {
    throw new Error(`npm could not install ${name} ${version}: ${error.stderr?.trim() || error}`);
  });
}

async function programIn(folder: string, name: RuntimeName): Promise<string | undefined> {
  for await (const path of glob(RUNTIMES[name].program, { cwd: folder })) {
    const program = join(folder, path);
    const isProgram = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isProgram) return program;
  }
  return undefined;
}

if (import.meta.main) {
  try {
    for (const name of RUNTIME_NAMES) console.log(await runtimeProgram(name));
  } catch (error) {
    console.error(`usher: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}
