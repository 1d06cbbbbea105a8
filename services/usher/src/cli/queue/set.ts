// `usher queue set`: settings of one queue, changed while it runs.

import type { QueueDetails } from "@usher/protocol/admin";
import { UsageError } from "../../failure.ts";
import { type AdminClient, type AdminFlags, callAdmin } from "../client.ts";
import { print, say } from "../say.ts";
import { changeOf, type SettingFlags } from "./change.ts";
import { unlessConflict } from "./conflict.ts";
import { effectAt, effectText, overfullText } from "./effect.ts";
import { detailsText } from "./table.ts";

export interface SetFlags extends AdminFlags, SettingFlags {
  readonly reason: string;
  readonly etag?: string;
  /** Other nodes. */
  readonly at?: readonly string[];
}

export async function set(queue: string, flags: SetFlags): Promise<void> {
  const change = changeOf(flags);
  if (change === undefined)
    throw new UsageError("nothing to change: give at least one setting, such as --mode paused");
  const began_ms = performance.now();
  const details = await callAdmin(flags, async (client) => {
    const etag = flags.etag ?? (await etagOf(client, queue));
    const response = await unlessConflict(client, { queue, etag }, () =>
      client.updateQueue({ ...change, queue, etag, reason: flags.reason }),
    );
    return response.queue;
  });
  print(detailsText(details));
  if (details !== undefined) await tellEffect(details, flags, began_ms);
}

async function etagOf(client: AdminClient, queue: string): Promise<string> {
  const { queue: before } = await client.getQueue({ queue });
  return before?.etag ?? "";
}

async function tellEffect(details: QueueDetails, flags: SetFlags, began_ms: number): Promise<void> {
  const { name: queue, revision } = details;
  say(effectText(flags.url, revision, began_ms));
  for (const text of overfullText(details)) say(text);
  const others = (flags.at ?? []).map((url) => effectAt({ ...flags, url }, { queue, revision }, began_ms));
  for (const told of await Promise.all(others)) say(told);
}
