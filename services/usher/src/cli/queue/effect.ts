// Since when a change is in effect, and what it does not do.

import { setTimeout as pause } from "node:timers/promises";
import type { QueueDetails } from "@usher/protocol/admin";
import { type AdminFlags, adminClient, failureText } from "../client.ts";

/** How long another node is asked whether the change is in effect there, in milliseconds; ten seconds, beyond which it
 * does not follow the log, and how often in between. */
const WAIT_MS = 10_000;
const ASK_EVERY_MS = 10;

/** A limit of room below what is active is kept, and drives nobody out: told, for it may look as if it did nothing.
 * Empty where it is not so. */
export function overfullText({ active, settings }: QueueDetails): string[] {
  const room = settings?.limit?.maxActive ?? 0;
  if (room === 0 || active <= room) return [];
  return [
    `${active} are active, more than max_active, which is ${room}: nobody is driven out, and nobody is admitted until fewer are`,
  ];
}

/** Looks at another node until a revision of a queue is in effect there; tells since when, in milliseconds since
 * `began_ms` of `performance.now`, or why that cannot be told. */
export async function effectAt(
  flags: AdminFlags,
  { queue, revision }: { readonly queue: string; readonly revision: number },
  began_ms: number,
): Promise<string> {
  const client = await adminClient(flags);
  const until_ms = performance.now() + WAIT_MS;
  while (performance.now() < until_ms) {
    try {
      const { queue: seen } = await client.getQueue({ queue });
      if (seen !== undefined && seen.revision >= revision) return effectText(flags.url, revision, began_ms);
    } catch (error) {
      return `${flags.url}: not known, ${failureText(error)}`;
    }
    await pause(ASK_EVERY_MS);
  }
  return `${flags.url}: not within ${WAIT_MS / 1_000} s; it does not follow the log (usher top --url ${flags.url})`;
}

/** That a revision is in effect at a node, from now on. */
export function effectText(url: string, revision: number, began_ms: number): string {
  const took_ms = Math.ceil(performance.now() - began_ms);
  return `${url}: in effect as revision ${revision}, ${took_ms} ms after it was asked for`;
}
