// A change that came too late: who was quicker, what they changed and why, and what to do now.

import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@usher/protocol/error-details";
import { Conflict } from "../../failure.ts";
import type { AdminClient } from "../client.ts";
import { changesOf } from "./changes.ts";
import { changeSentence } from "./history.ts";

/** How many changes of others are told; the latest. */
const CHANGES_TOLD = 5;

/** The revision that an etag is of; absent where it cannot be told. */
export function revisionOf(etag: string): number | undefined {
  const [, revision] = /-(\d{1,10})$/.exec(etag) ?? [];
  return revision === undefined ? undefined : Number(revision);
}

/** Makes the change, and where it was refused because the queue was changed since that etag, throws a `Conflict` with
 * the story. */
export async function unlessConflict<T>(
  client: AdminClient,
  { queue, etag }: { readonly queue: string; readonly etag: string },
  change: () => Promise<T>,
): Promise<T> {
  try {
    return await change();
  } catch (error) {
    if (!isConflict(error)) throw error;
    throw new Conflict(await conflictText(client, queue, revisionOf(etag)));
  }
}

function isConflict(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  return error.findDetails(ErrorInfoSchema)[0]?.reason === "ETAG_MISMATCH";
}

async function conflictText(
  client: AdminClient,
  queue: string,
  revision: number | undefined,
): Promise<string> {
  const { changes } = await changesOf(client, queue);
  const since = changes.filter((change) => revision === undefined || change.revision > revision);
  const told = since.slice(-CHANGES_TOLD);
  const more = since.length - told.length;
  return [
    `queue ${queue} was changed meanwhile, and nothing of this change was applied:`,
    ...(more > 0 ? [`  ${more} earlier changes, and then`] : []),
    ...told.map((change) => `  ${changeSentence(change)}`),
    ...(since.length === 0
      ? ["  the etag is not one of this queue's: is it another queue's, or log's?"]
      : []),
    `  Look at it (usher queue show ${queue}), and give the command again if it is still right.`,
  ].join("\n");
}
