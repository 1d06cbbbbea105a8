// A directory whose disk can be filled, and given room again.

import { execFileSync } from "node:child_process";
import { mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk extends AsyncDisposable {
  readonly directory: string;
  /** From here on, files take no more bytes. `pid`: of the program that writes them. */
  fill(pid: number): Promise<void>;
  makeRoom(pid: number): Promise<void>;
}

/** Whether this process may mount file systems, as root may in most places. */
export function mayMount(): boolean {
  return runs("unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/tmp");
}

/** Whether limits of a process can be set from outside, as they can on any Linux. */
export function mayLimit(): boolean {
  return runs("prlimit", "--pid", `${process.pid}`, "--fsize");
}

function runs(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A file system of its own: full when a file beside the data takes up all the room. */
export async function mountSmallDisk(bytes: number): Promise<SmallDisk> {
  const directory = await mkdtemp(join(tmpdir(), "usher-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", directory]);
  const ballast = join(directory, "ballast");
  return {
    directory,
    async fill() {
      const file = await open(ballast, "w");
      try {
        // What does not fit as a block may still fit as a byte.
        for (let size = 65_536; size > 0; size >>= 1) await writeWhile(() => file.write(Buffer.alloc(size)));
      } finally {
        await file.close();
      }
    },
    makeRoom: () => rm(ballast),
    async [Symbol.asyncDispose]() {
      execFileSync("umount", ["--lazy", directory]);
      await rm(directory, { recursive: true });
    },
  };
}

/** An ordinary directory: full when the program may not make any file larger, as at the end of a quota. */
export async function limitedDisk(): Promise<SmallDisk> {
  const directory = await mkdtemp(join(tmpdir(), "usher-disk-"));
  const limit = (pid: number, bytes: number | "unlimited"): void => {
    // The soft limit alone: the hard one could not be lifted again.
    execFileSync("prlimit", ["--pid", `${pid}`, `--fsize=${bytes}:`]);
  };
  return {
    directory,
    fill: async (pid) => limit(pid, await largestFile(directory)),
    makeRoom: async (pid) => limit(pid, "unlimited"),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

async function largestFile(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
  );
  return Math.max(...sizes);
}

async function writeWhile(write: () => Promise<{ bytesWritten: number }>): Promise<void> {
  for (;;) {
    try {
      if ((await write()).bytesWritten === 0) return;
    } catch {
      return;
    }
  }
}
