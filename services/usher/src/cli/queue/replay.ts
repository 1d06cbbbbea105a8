// `usher queue replay`: the log, folded from its beginning, against what a node has made of it.

import type { GetStateResponse } from "@usher/protocol/admin";
import { type RecordCounts, type StateDigest, stateDifferences, stateDigest } from "@usher/replica";
import { EXIT } from "../../failure.ts";
import { type AdminClient, type AdminFlags, callAdmin } from "../client.ts";
import { foldLog } from "../log/fold.ts";
import { print } from "../say.ts";
import { columns, printable, secondsText } from "../text.ts";

/** How many differences are named. */
const DIFFERENCES_MAX = 20;

export interface ReplayFlags extends AdminFlags {
  readonly queue?: string;
  readonly json?: boolean;
}

export async function replay(flags: ReplayFlags): Promise<void> {
  const comparison = await callAdmin(flags, (client) => compare(client, flags.queue));
  print(flags.json === true ? JSON.stringify(comparisonJson(comparison)) : comparisonText(comparison));
  if (comparison.differences.length > 0) process.exitCode = EXIT.failed;
}

interface Comparison {
  readonly live: GetStateResponse;
  readonly replayed: StateDigest;
  readonly records: RecordCounts;
  readonly took_ms: number;
  /** In words: what the node has, then what the replay has. */
  readonly differences: readonly string[];
}

export async function compare(client: AdminClient, queue: string | undefined): Promise<Comparison> {
  const live = await client.getState({ queue });
  const began_ms = performance.now();
  const reader = await foldLog({ client, until: Number(live.asOf) });
  const took_ms = performance.now() - began_ms;
  const replayed = stateDigest(reader.fold, queue);
  const differences = stateDifferences(live.pieces, replayed.pieces);
  if (differences.length === 0 && live.digest !== replayed.digest)
    differences.push(
      "what the digests are made of is the same: the node is of another build than this program",
    );
  return { live, replayed, records: reader.records, took_ms, differences };
}

export function comparisonText({ live, replayed, records, took_ms, differences }: Comparison): string {
  const { folded, ignored, skipped } = records;
  const counts =
    `${folded} records folded up to offset ${live.asOf} in ${secondsText(took_ms)}` +
    ` (${ignored} without effect, ${skipped} entries skipped as no records)`;
  if (differences.length === 0) return [`equal: ${counts}`, "", digestTable(live)].join("\n");
  const more = differences.length - DIFFERENCES_MAX;
  return [
    `NOT EQUAL: ${counts}`,
    `digest ${live.digest} in the node, ${replayed.digest} in the replay`,
    "where they differ, what the node has comes first, then what the replay has:",
    ...differences.slice(0, DIFFERENCES_MAX).map((line) => `  ${printable(line)}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join("\n");
}

function digestTable({ digest, queues }: GetStateResponse): string {
  const head = ["QUEUE", "TICKETS", "WAITING", "ADMITTED", "ENDED", "ADMISSIONS", "DIGEST"];
  const rows = queues.map((queue) => {
    const { completed, left, expired, failed, unknown } = queue;
    return [
      queue.name,
      String(queue.lastNumber),
      String(queue.waiting),
      String(queue.admitted),
      String(completed + left + expired + failed + unknown),
      String(queue.admissions),
      queue.digest,
    ];
  });
  return columns([head, ...rows, ["(together)", "", "", "", "", "", digest]]);
}

function comparisonJson({ live, replayed, records, took_ms, differences }: Comparison): object {
  return {
    equal: differences.length === 0,
    as_of: Number(live.asOf),
    digest: { node: live.digest, replay: replayed.digest },
    queues: live.queues.map(({ $typeName: _, admissions, lastNumber, ...queue }) => ({
      ...queue,
      last_number: lastNumber,
      admissions: Number(admissions),
    })),
    records,
    took_ms: Math.round(took_ms),
    differences,
  };
}
