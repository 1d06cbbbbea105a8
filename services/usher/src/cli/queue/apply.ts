// `usher queue apply`: makes the queues that run what a file says of them, and shows the difference first.

import type { QueueDetails } from "@usher/protocol/admin";
import type { Settings } from "@usher/queue";
import { settingsMessage, settingsOf } from "@usher/replica";
import type { QueueConfig } from "../../config/config.ts";
import { loadQueues } from "../../config/queues-file.ts";
import { Failure, UsageError } from "../../failure.ts";
import { differingFrom, otherKind } from "../../reconcile.ts";
import { type SettingName, settingLabel, settingText } from "../../settings-text.ts";
import { type AdminClient, type AdminFlags, callAdmin } from "../client.ts";
import { print, say } from "../say.ts";
import { columns, visible } from "../text.ts";
import { unlessConflict } from "./conflict.ts";
import { overfullText } from "./effect.ts";

export interface ApplyFlags extends AdminFlags {
  readonly file: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

export async function apply(flags: ApplyFlags): Promise<void> {
  const { file, reason, dryRun = false } = flags;
  const queues = await loadQueues(file);
  await callAdmin(flags, async (client) => {
    const plans = await plansFor(client, queues, file);
    const changes = plans.filter(({ differing }) => differing.length > 0);
    print(plansText(plans));
    if (dryRun || changes.length === 0) {
      say(changes.length === 0 ? "nothing to change" : "nothing was changed: this was a dry run");
      return;
    }
    if (reason === undefined) throw new UsageError("to apply this, say why, for the record: --reason <text>");
    await carryOut(client, changes, reason);
  });
}

/** What is to become of one queue. */
export interface QueuePlan {
  readonly name: string;
  /** Of the settings before. */
  readonly etag: string;
  readonly before: Settings;
  readonly after: Settings;
  readonly differing: readonly SettingName[];
}

/** Throws a `Failure` with all that stands in the way; then nothing is changed at all. */
export async function plansFor(
  client: AdminClient,
  queues: readonly QueueConfig[],
  file: string,
): Promise<readonly QueuePlan[]> {
  const { queues: live } = await client.listQueues({});
  const byName = new Map(live.map((details) => [details.name, details]));
  const obstacles: string[] = [];
  const plans: QueuePlan[] = [];
  for (const queue of queues) {
    const details = byName.get(queue.name);
    const plan = details === undefined ? missing(queue) : planFor(queue, details, file);
    if (typeof plan === "string") obstacles.push(plan);
    else plans.push(plan);
  }
  if (obstacles.length > 0) throw new Failure([...obstacles, "nothing was changed"].join("\n  "));
  return plans;
}

function missing({ name }: QueueConfig): string {
  return (
    `queue ${name} is not in the log, and a node makes queues when it starts: put it into the configuration of a ` +
    "node (usher.yaml), and start that node again"
  );
}

/** In words, where there can be none. */
function planFor(queue: QueueConfig, details: QueueDetails, file: string): QueuePlan | string {
  const { name, etag } = details;
  const before = details.settings && settingsOf(details.settings);
  if (before === undefined)
    return `queue ${name}: the node is of a newer build, whose settings this one does not know`;
  const differing = differingFrom(before, queue);
  if (differing.includes("kind")) return otherKind(before, queue, file);
  const changes = Object.fromEntries(differing.map((setting) => [setting, queue.settings[setting]]));
  return { name, etag, before, after: { ...before, ...changes }, differing };
}

export function plansText(plans: readonly QueuePlan[]): string {
  return plans
    .map(({ name, before, after, differing }) => {
      if (differing.length === 0) return `queue ${name}: as the file has it`;
      const rows = differing.map((setting) => [
        ` ${settingLabel(setting)}`,
        `${visible(settingText(setting, before))} → ${visible(settingText(setting, after))}`,
      ]);
      return [`queue ${name}:`, columns(rows)].join("\n");
    })
    .join("\n");
}

/** Changes one queue after the other, each only if it still is what was shown. */
export async function carryOut(
  client: AdminClient,
  plans: readonly QueuePlan[],
  reason: string,
): Promise<void> {
  const done: string[] = [];
  for (const { name: queue, etag, after, differing } of plans) {
    const request = {
      ...{ queue, etag, reason, settings: settingsMessage(after) },
      updateMask: { paths: differing.map(settingLabel) },
    };
    try {
      const { queue: details } = await unlessConflict(client, { queue, etag }, () =>
        client.updateQueue(request),
      );
      done.push(queue);
      if (details !== undefined) say([`queue ${queue}: applied`, ...overfullText(details)].join("; "));
    } catch (error) {
      const before = done.length === 0 ? "nothing was" : `${done.join(", ")} had been`;
      say(`${before} applied before this:`);
      throw error;
    }
  }
}
