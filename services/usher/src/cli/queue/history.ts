// `usher queue history`: who changed a queue, when, what and why.

import type { Settings } from "@usher/queue";
import { Failure } from "../../failure.ts";
import { SETTING_NAMES, type SettingName, settingLabel, settingText } from "../../settings-text.ts";
import { type AdminFlags, callAdmin } from "../client.ts";
import { print } from "../say.ts";
import { bounded, columns, momentText, visible, word } from "../text.ts";
import { changesOf, type QueueChange, type QueueHistory } from "./changes.ts";

/** Characters of a value, or of a reason, that a table shows, 60: a notice may have 500, and would tear it. `--json` has
 * all of them. */
const SHOWN_MAX = 60;

export interface HistoryFlags extends AdminFlags {
  readonly json?: boolean;
}

export async function history(queue: string, flags: HistoryFlags): Promise<void> {
  const told = await callAdmin(flags, async (client) => {
    // Before the whole log is read: that the queue is there at all.
    await client.getQueue({ queue });
    return changesOf(client, queue);
  });
  if (told.changes.length === 0) throw new Failure(`the log tells of no change of the queue "${queue}"`);
  print(flags.json === true ? JSON.stringify(historyJson(queue, told)) : historyText(told));
}

export function historyText({ changes, earlier }: QueueHistory): string {
  const head = ["REVISION", "WALL TIME", "WHO", "BY", "WHAT", "WHY"];
  const rows = changes.map((change) => [
    String(change.revision),
    momentText(change.wall_ms),
    word(change.actor ?? "-"),
    word(change.node),
    whatText(change),
    bounded(visible(change.reason), SHOWN_MAX),
  ]);
  const table = columns([head, ...rows]);
  return earlier === 0 ? table : `${table}\nand ${earlier} earlier`;
}

/** One change in a sentence: when, who, what and why. */
export function changeSentence(change: QueueChange): string {
  const who = change.actor === undefined ? "somebody" : word(change.actor);
  const when = momentText(change.wall_ms);
  return `${when}, ${who} at ${word(change.node)}: ${whatText(change)} (${word(change.reason)})`;
}

function whatText({ before, after }: Pick<QueueChange, "before" | "after">): string {
  if (before === undefined) return "made";
  return differenceText(before, after) || "nothing";
}

/** `mode auto → paused, max_waiting 10 → 20`; empty where both are the same. */
export function differenceText(before: Settings, after: Settings): string {
  return SETTING_NAMES.filter((name) => before[name] !== after[name])
    .map((name) => `${settingLabel(name)} ${valueText(name, before)} → ${valueText(name, after)}`)
    .join(", ");
}

function valueText(name: SettingName, settings: Settings): string {
  return bounded(visible(settingText(name, settings)), SHOWN_MAX);
}

function historyJson(queue: string, { changes, earlier }: QueueHistory): object {
  return {
    queue,
    changes: changes.map(({ before, after, wall_ms, ...change }) => ({
      ...change,
      wall_time: momentText(wall_ms),
      changed: Object.fromEntries(
        SETTING_NAMES.filter((name) => before?.[name] !== after[name]).map((name) => [
          settingLabel(name),
          { ...(before !== undefined && { from: settingText(name, before) }), to: settingText(name, after) },
        ]),
      ),
    })),
    earlier,
  };
}
