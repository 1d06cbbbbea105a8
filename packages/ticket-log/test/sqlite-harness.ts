// The contract suite's harness for SQLite, and directories for other tests of it.

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openSqliteLog, type TicketLog } from "../src/index.ts";
import type { HarnessStore, LogHarness } from "./contract.ts";

/** Copies by another process: one that opened and closed the files in this would let go of their lock. */
export async function copyDirectory(from: string, to: string): Promise<void> {
  await promisify(execFile)("cp", ["-r", from, to]);
}

export async function temporaryDirectory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "usher-log-"));
}

function storeIn(root: string, name: string): HarnessStore {
  const open = new Set<TicketLog>();
  const copies: HarnessStore[] = [];
  const directory = join(root, name);
  return {
    async open(options) {
      const log = await openSqliteLog({ directory, ...options });
      open.add(log);
      return log;
    },
    async killed() {
      const copy = `${name}-${copies.length}`;
      await copyDirectory(directory, join(root, copy));
      copies.push(storeIn(root, copy));
      return copies.at(-1)!;
    },
    async remove() {
      for (const log of open) await log.close();
      for (const copy of copies) await copy.remove();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export const sqliteHarness: LogHarness = {
  async create() {
    const root = await temporaryDirectory();
    const store = storeIn(root, "data");
    return {
      ...store,
      async remove() {
        await store.remove();
        await rm(root, { recursive: true, force: true });
      },
    };
  },
};
