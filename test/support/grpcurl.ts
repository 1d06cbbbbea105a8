// Where grpcurl is, for the tests that call Usher as a stranger would; installed with Go where it is not there yet.
// `node test/support/grpcurl.ts` prints the path.

import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const VERSION = "v1.9.3";

/** How long an installation may take, in milliseconds; for the hook that awaits it. Five minutes: it takes half of one
 * on two cores, after the download. */
export const GRPCURL_WAIT_MS = 300_000;

/** The path of the program. Rejects with one line on what to install. */
export async function findGrpcurl(): Promise<string> {
  const onPath = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const goFolder = await goPath();
  const found = await firstProgram([...onPath, ...(goFolder === undefined ? [] : [join(goFolder, "bin")])]);
  if (found !== undefined) return found;
  if (goFolder === undefined)
    throw new Error("grpcurl is not there: install it, or Go, with which the tests install it themselves");
  console.error(`usher: installing grpcurl ${VERSION} with Go, about 35 MB to download, half a minute ...`);
  const bin = join(goFolder, "bin");
  try {
    await run("go", ["install", `github.com/fullstorydev/grpcurl/cmd/grpcurl@${VERSION}`], {
      env: { ...process.env, GOBIN: bin },
    });
  } catch (error) {
    const reason = String(error).trim().split("\n").at(-1);
    throw new Error(
      `Go could not install grpcurl (${reason}): install it by hand, or connect to the network`,
    );
  }
  return join(bin, "grpcurl");
}

const run = promisify(execFile);

/** Where Go puts programs, or undefined without Go. */
async function goPath(): Promise<string | undefined> {
  try {
    return (await run("go", ["env", "GOPATH"])).stdout.trim().split(delimiter)[0];
  } catch {
    return undefined;
  }
}

async function firstProgram(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, "grpcurl");
    const there = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return path;
  }
  return undefined;
}

if (import.meta.main) {
  try {
    console.log(await findGrpcurl());
  } catch (error) {
    console.error(`usher: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}
