// What an operator's update makes of a queue's settings, or why it is refused before anything is written.

import type { QueueSettings } from "@usher/protocol/admin";
import { isPlainLine, type Settings, settingsProblems } from "@usher/queue";
import { modeOf, updatedSettings } from "./admin-codec.ts";
import { invalid } from "./validation.ts";

const REASON_LENGTH_MAX = 500;

/** Paths in one update mask; every setting could be named twice. */
const PATHS_MAX = 20;

/** The part of an update that says what changes. */
export interface QueueChange {
  readonly settings?: QueueSettings | undefined;
  readonly updateMask?: { readonly paths: readonly string[] } | undefined;
}

/** Throws where there is no reason that could stand in the log. */
export function checkReason(reason: string): void {
  if (reason.trim() === "" || reason.length > REASON_LENGTH_MAX)
    throw invalid("reason", `say why, in 1 to ${REASON_LENGTH_MAX} characters`);
  if (!isPlainLine(reason)) throw invalid("reason", "say why in plain text, on one line");
}

/** The settings after the change. `nodes`: among how many a limit is divided. Throws INVALID_FIELD, with all that is
 * wrong. */
export function changedSettings(
  current: Settings,
  { settings, updateMask }: QueueChange,
  nodes: number,
): Settings {
  const paths = updateMask?.paths ?? [];
  if (paths.length === 0) throw invalid("update_mask", "name the settings to change");
  if (paths.length > PATHS_MAX) throw invalid("update_mask", `names more than ${PATHS_MAX} settings`);
  if (settings === undefined) throw invalid("settings", "the new values are missing");
  if (paths.includes("mode") && modeOf(settings.mode) === undefined)
    throw invalid("settings", `mode: ${settings.mode} is no mode`);
  const result = updatedSettings(current, settings, paths);
  if ("unknownPath" in result)
    throw invalid("update_mask", `"${result.unknownPath}" is no setting that can be changed`);
  const problems = [...settingsProblems(result.settings), ...ownProblems(current, result.settings, nodes)];
  if (problems.length > 0) throw invalid("settings", problems.join("; "));
  return result.settings;
}

/** What the fold would take, for it is in old logs, and nobody should set anew. What stands already is left alone. */
function ownProblems(before: Settings, { kind, max_active, notice }: Settings, nodes: number): string[] {
  const problems: string[] = [];
  if (notice !== before.notice && !isPlainLine(notice))
    problems.push("notice: has to be plain text, on one line");
  if (kind === "defer" && max_active !== before.max_active && max_active !== 0 && max_active < nodes)
    problems.push(
      `max_active: ${max_active} cannot be divided among ${nodes} nodes; give at least ${nodes}, or none`,
    );
  return problems;
}
