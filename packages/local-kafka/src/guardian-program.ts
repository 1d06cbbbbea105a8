// The guardian's own process: starts what it is told to, and when its parent lets go of the channel between them, by
// asking or by dying, kills it all and removes the directory. Arguments: the folder to make the directory in.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { News, Start } from "./guardian.ts";

const [folder = ""] = process.argv.slice(2);
const directory = makeDirectory();
const children = new Set<ChildProcess>();
let ending = false;

process.on("disconnect", end);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);
process.on("message", start);
tell({ what: "ready", directory });

function makeDirectory(): string {
  try {
    return mkdtempSync(join(folder, "usher-kafka-"));
  } catch {
    // Its parent names the folder.
    process.exit(1);
  }
}

function start({ name, command, args, out, err }: Start): void {
  if (ending) return;
  const files = [openSync(out, "a"), openSync(err, "a")] as const;
  const child = spawn(command, args, { stdio: ["ignore", ...files] });
  for (const file of files) closeSync(file);
  child.on("error", (error) => tell({ what: "failed", name, reason: error.message }));
  child.on("exit", (code, signal) => {
    children.delete(child);
    tell({ what: "ended", name, code, signal });
  });
  if (child.pid === undefined) return;
  children.add(child);
  tell({ what: "started", name, pid: child.pid });
}

async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  await Promise.all(
    [...children].map((child) => {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      return gone;
    }),
  );
  rmSync(directory, { recursive: true, force: true });
  process.exit();
}

function tell(news: News): void {
  // A parent that is gone hears nothing; the end of the channel is what ends us, not this.
  if (process.connected) process.send?.(news, undefined, undefined, () => {});
}
