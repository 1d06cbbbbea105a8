// Go, and programs in Go that tests need, at pinned versions: installed once into .usher/go. Where the machine has no Go
// that is new enough, Go itself comes there too.
// `node test/support/go.ts` installs all that, and prints where the programs are.
//
//   go-toolchain.ts   Go, from the module proxy         zip.ts   what modules come in

import { type ExecFileOptions, execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { fetchToolchain, toolchainHere } from "./go-toolchain.ts";

const STORE = resolve(import.meta.dirname, "../../.usher/go");

/** Where each comes from. */
const PROGRAMS = {
  connectconformance: "connectrpc.com/conformance/cmd/connectconformance@v1.0.7",
  grpcurl: "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3",
  "protoc-gen-go": "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.10",
  "protoc-gen-go-grpc": "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1",
} as const;

/** The oldest Go 1 with which all that the tests install can be built: Go 1.26. */
const MINOR_MIN = 26;

/** How long an installation may take, in milliseconds; for the hook that awaits it. Ten minutes: where nothing is there
 * yet, Go and the largest take two and a half on two busy cores, and others may install theirs beside it. */
export const GO_WAIT_MS = 600_000;

const execute = promisify(execFile);

/** A Go that is new enough. */
interface Go {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

let found: Promise<Go> | undefined;

/** Runs Go, and resolves with what it has written. Rejects with one line on what to install, or with what Go said. */
export async function go(args: readonly string[], options: ExecFileOptions = {}): Promise<string> {
  found ??= findGo();
  const { command, env } = await found;
  try {
    const { stdout } = await execute(command, args, {
      ...options,
      env: { ...process.env, ...env, ...options.env },
    });
    return `${stdout}`;
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? `${error.stderr}`.trim() : String(error);
    throw new Error(`go ${args.join(" ")}: ${said.split("\n").at(-1)}`);
  }
}

/** The path of a program. */
export async function goProgram(name: keyof typeof PROGRAMS): Promise<string> {
  const version = versionOf(name);
  const folder = await kept(`${name}-${version}`, async (fresh) => {
    console.error(`usher: installing ${name} ${version} with Go ...`);
    await go(["install", PROGRAMS[name]], { env: { GOBIN: fresh, GOFLAGS: "" } });
  });
  return join(folder, name);
}

/** Such as `v1.2.3`. */
export function versionOf(name: keyof typeof PROGRAMS): string {
  return PROGRAMS[name].slice(PROGRAMS[name].indexOf("@") + 1);
}

/** The machine's own, or else ours. */
async function findGo(): Promise<Go> {
  const { version, proxies } = await goOnPath();
  if (Number(/^go1\.(\d+)/.exec(version)?.[1]) >= MINOR_MIN) return { command: "go", env: {} };
  const wanted = `Go 1.${MINOR_MIN} or later is not there${version && ` (${version} is)`}`;
  const toolchain = toolchainHere();
  if (toolchain === undefined) throw new Error(`${wanted}: install it (go.dev/dl)`);
  try {
    const root = await kept(toolchain.version, async (fresh) => {
      console.error(`usher: ${wanted}: fetching ${toolchain.version}, about 72 MB to download ...`);
      await fetchToolchain(toolchain, fresh, proxies);
    });
    return { command: join(root, "bin/go"), env: { GOROOT: root } };
  } catch (error) {
    const why = error instanceof Error ? error.message : error;
    throw new Error(
      `${wanted}, and could not be fetched (${why}): install it (go.dev/dl), or connect to the network`,
    );
  }
}

/** The version of the machine's Go, empty where there is none; and where modules come from, which its own settings may
 * tell. */
async function goOnPath(): Promise<{ version: string; proxies: string | undefined }> {
  try {
    const { stdout } = await execute("go", ["env", "GOVERSION", "GOPROXY"]);
    const [version = "", proxies] = stdout.split("\n");
    return { version, proxies };
  } catch {
    return { version: "", proxies: process.env.GOPROXY };
  }
}

/** A folder of the store, which is filled where it is not there yet. By a rename: it is there whole, or not at all. */
async function kept(name: string, fill: (fresh: string) => Promise<void>): Promise<string> {
  const folder = join(STORE, name);
  if (await isThere(folder)) return folder;
  await mkdir(STORE, { recursive: true });
  const fresh = await mkdtemp(join(STORE, "fresh-"));
  try {
    await fill(fresh);
    // Another process may have put the same there in the meantime.
    await rename(fresh, folder).catch(async (error: unknown) => {
      if (!(await isThere(folder))) throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return folder;
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
