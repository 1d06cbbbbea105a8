import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { eventually } from "./eventually.ts";
import type { Usher } from "./usher.ts";

/** What a process has in memory now, in bytes. Of Linux alone. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  if (kilobytes === undefined) throw new Error(`process ${pid} has no memory any more`);
  return Number(kilobytes) * 1_024;
}

/** For the environment of a node that is to be asked by `collected`: its inspector on a port of its own. */
export const COLLECTABLE = { NODE_OPTIONS: "--inspect-port=0" } as const;

/** The same, without what nobody refers to any more: how much of that there is depends on the machine, for Node comes
 * round to it when there is much of it, or when it has nothing else to do. Has it collected, through its inspector. */
export async function collectedBytes({ pid, output }: Usher): Promise<number> {
  process.kill(pid, "SIGUSR1");
  const inspector = await eventually(() => {
    const [, url] = /Debugger listening on (ws:\S+)/.exec(output()) ?? [];
    if (url === undefined)
      throw new Error("the inspector has not said where it is: was it started with COLLECTABLE?");
    return new WebSocket(url);
  });
  await once(inspector, "open");
  const answer = once(inspector, "message");
  inspector.send(JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" }));
  await answer;
  inspector.close();
  return residentBytes(pid);
}
