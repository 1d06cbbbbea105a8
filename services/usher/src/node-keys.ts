// How a node comes by its keys.

import { existsSync } from "node:fs";
import { type Keys, openKeys } from "@usher/replica";
import type { TicketLog } from "@usher/ticket-log";
import { Failure } from "./failure.ts";

/** The keys for a log, once it is open. */
export type KeysOf = (log: TicketLog) => Promise<Keys>;

/** The nodes of a log elsewhere have one file of keys, for what one of them tags, another has to know: so it must be
 * here before anything is opened, and no node makes it. Rejects with a `Failure` or a `KeysError`. */
export async function sharedKeys(file: string): Promise<KeysOf> {
  if (!existsSync(file))
    throw new Failure(
      `${file}: there is no file of keys, and all nodes of a Kafka log share one: copy it from another node, or make ` +
        `the first with usher init --keys ${file} (keys in the configuration, or --keys, names another place)`,
    );
  const keys = await openKeys({ file, create: false });
  return async () => keys;
}

/** The keys of a log of this machine's own are made together with it, once: fresh ones beside an old log would void
 * every token in it, and leave its stored requests unreadable. */
export function ownKeys(file: string): KeysOf {
  return async (log) => openKeys({ file, create: (await log.end()) === 0 });
}
