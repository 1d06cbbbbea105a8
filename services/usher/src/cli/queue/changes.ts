// What was changed in a queue's settings, by whom and why: from the log, in which every change is a record.

import type { Settings } from "@usher/queue";
import type { AdminClient } from "../client.ts";
import { foldLog } from "../log/fold.ts";

/** How many changes of a queue are kept, the latest; more than this is a program that changes it over and over. */
const CHANGES_MAX = 10_000;

/** One change that took effect. */
export interface QueueChange {
  readonly offset: number;
  /** When, by the wall clock of the node that wrote it. */
  readonly wall_ms: number;
  /** T, log time. */
  readonly log_time_ms: number;
  readonly revision: number;
  /** Who did it: `key:` and an API key's id, or `node:` and the name of the node whose file said so; absent where
   * nobody had to say. */
  readonly actor: string | undefined;
  /** The node that wrote it. */
  readonly node: string;
  readonly reason: string;
  /** Absent: it made the queue. */
  readonly before: Settings | undefined;
  readonly after: Settings;
}

export interface QueueHistory {
  readonly changes: readonly QueueChange[];
  /** Earlier ones that were not kept. */
  readonly earlier: number;
}

/** All changes of a queue that took effect, in order. Reads the log from its beginning, up to where the node has. */
export async function changesOf(client: AdminClient, queue: string): Promise<QueueHistory> {
  const { node } = await client.getNode({});
  const changes: QueueChange[] = [];
  let earlier = 0;
  await foldLog({
    client,
    until: Number(node?.log?.asOf ?? 0n),
    see: ({ offset, record, outcome }, { fold }) => {
      const { event, session, wall_ms } = record;
      if (event.kind !== "queue_configured" || event.queue !== queue || outcome.kind !== "applied") return;
      const { revision, actor, reason, settings: after } = event;
      changes.push({
        ...{ offset, wall_ms, log_time_ms: fold.now_ms, revision, actor: actor || undefined, reason, after },
        node: fold.sessions.node(session) ?? session.toString(16),
        before: changes.at(-1)?.after,
      });
      if (changes.length <= CHANGES_MAX) return;
      changes.shift();
      earlier++;
    },
  });
  return { changes, earlier };
}
