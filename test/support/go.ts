// Programs in Go that tests need, at pinned versions: installed once into .usher/go, by the Go that is there.
// `node test/support/go.ts` installs them all, and prints where they are.

import { type ExecFileOptions, execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const STORE = resolve(import.meta.dirname, "../../.usher/go");

/** Where each comes from. */
const PROGRAMS = {
  connectconformance: "connectrpc.com/conformance/cmd/connectconformance@v1.0.7",
  "protoc-gen-go": "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.10",
  "protoc-gen-go-grpc": "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1",
} as const;

/** The oldest Go with which all that the tests install can be built. */
const VERSION_MIN = 1.26;

/** How long an installation may take, in milliseconds; for the hook that awaits it. Five minutes: the largest takes half
 * of one on two cores, after the download of its modules. */
export const GO_WAIT_MS = 300_000;

const execute = promisify(execFile);

/** Runs Go, and resolves with what it has written. Rejects with one line on what to install, or with what Go said. */
export async function go(args: readonly string[], options: ExecFileOptions = {}): Promise<string> {
  try {
    const { stdout } = await execute("go", args, { ...options, env: { ...process.env, ...options.env } });
    return `${stdout}`;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      throw new Error(`Go is not there: install Go ${VERSION_MIN} or later (go.dev/dl)`);
    throw new Error(`go ${args.join(" ")}: ${await reasonOf(error)}`);
  }
}

/** The path of a program. */
export async function goProgram(name: keyof typeof PROGRAMS): Promise<string> {
  const version = versionOf(name);
  const path = join(STORE, `${name}-${version}`, name);
  if (await isThere(path)) return path;
  console.error(`usher: installing ${name} ${version} with Go ...`);
  await mkdir(STORE, { recursive: true });
  const fresh = await mkdtemp(join(STORE, "fresh-"));
  try {
    await go(["install", PROGRAMS[name]], { env: { GOBIN: fresh, GOFLAGS: "" } });
    // By a rename: it is there whole, or not at all. Another process may have put the same there in the meantime.
    await rename(fresh, join(path, "..")).catch(async (error: unknown) => {
      if (!(await isThere(path))) throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return path;
}

/** Such as `v1.2.3`. */
export function versionOf(name: keyof typeof PROGRAMS): string {
  return PROGRAMS[name].slice(PROGRAMS[name].indexOf("@") + 1);
}

async function reasonOf(error: unknown): Promise<string> {
  const version = await execute("go", ["env", "GOVERSION"]).then(({ stdout }) => stdout.trim(), String);
  const number = Number(/^go(\d+\.\d+)/.exec(version)?.[1]);
  if (number < VERSION_MIN) return `${version} is too old: install ${VERSION_MIN} or later`;
  const said = error instanceof Error && "stderr" in error ? `${error.stderr}`.trim() : String(error);
  return `${said.split("\n").at(-1)} (${version})`;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

if (import.meta.main) {
  try {
    for (const name of Object.keys(PROGRAMS)) console.log(await goProgram(name as keyof typeof PROGRAMS));
  } catch (error) {
    console.error(`usher: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}
