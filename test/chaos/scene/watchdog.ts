// A process that is stopped hears of nobody's end. Whatever has one of those gives it a watchdog: a shell that kills it
// when this process is gone, however that ended.

import { spawn } from "node:child_process";

/** Watches until it is called off by the returned function. */
export function watch(pid: number): () => void {
  const dog = spawn("sh", ["-c", 'read -r word || kill -9 "$0"', `${pid}`], {
    stdio: ["pipe", "ignore", "ignore"],
    // What is meant for this process's group must not hit it.
    detached: true,
  });
  dog.unref();
  dog.stdin.on("error", () => {});
  return () => dog.stdin.end("off\n");
}
