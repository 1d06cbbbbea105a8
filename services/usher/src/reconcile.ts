// The queues of the configuration against those of the log: what is missing is made; what differs is told, and changed
// only on command. The log is what counts: operators change queues while they run, and a restart must not undo that.

import type { Outcome, Settings } from "@usher/queue";
import type { QueueConfig } from "./config/config.ts";
import { Failure } from "./failure.ts";
import { SETTING_NAMES, type SettingName, settingLabel, settingText } from "./settings-text.ts";

/** The part of a replica that is needed here. */
export interface Queues {
  readonly fold: {
    queue(name: string): { readonly settings: Settings; readonly revision: number } | undefined;
    queues(): Iterable<{ readonly name: string }>;
  };
  configure(name: string, settings: Settings, change: { revision: number; reason: string }): Promise<Outcome>;
}

/** What the operator's command covers, for queues that exist: `all` of the file (`--apply`), or the settings that
 * flags name. */
export type Command = "all" | readonly SettingName[];

export interface Reconciling {
  readonly queues: readonly QueueConfig[];
  readonly command: Command;
  /** Where the configuration comes from, for the log and for people. */
  readonly source: string;
}

/** Returns what is to be told, a line each. Throws a `Failure` where the command cannot be carried out. */
export async function reconcile(log: Queues, { queues, command, source }: Reconciling): Promise<string[]> {
  const lines: string[] = [];
  for (const queue of queues) lines.push(...(await reconcileQueue(log, queue, command, source)));
  const named = new Set(queues.map(({ name }) => name));
  const others = [...log.fold.queues()].map(({ name }) => name).filter((name) => !named.has(name));
  if (others.length > 0) lines.push(`${listed(others)} in the log, not in ${source}: kept, without routes`);
  return lines;
}

/** How many of the log's other queues are named. */
const OTHERS_NAMED = 5;

function listed(names: readonly string[]): string {
  if (names.length === 1) return `queue ${names[0]} is`;
  const more = names.length - OTHERS_NAMED;
  return `queues ${names.slice(0, OTHERS_NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""} are`;
}

/** How often a queue is looked at anew because somebody else changed it in the same moment: nodes that start together
 * all find it missing, and one of them is first. */
const TRIES = 5;

async function reconcileQueue(
  log: Queues,
  queue: QueueConfig,
  command: Command,
  source: string,
): Promise<string[]> {
  for (let tries = 0; tries < TRIES; tries++) {
    const lines = await tryReconcile(log, queue, command, source);
    if (lines !== undefined) return lines;
  }
  throw new Failure(`queue ${queue.name} was changed by somebody else in the same moment; start again`);
}

/** Undefined where somebody else was quicker. */
async function tryReconcile(
  log: Queues,
  queue: QueueConfig,
  command: Command,
  source: string,
): Promise<string[] | undefined> {
  const { name } = queue;
  const live = log.fold.queue(name);
  if (live === undefined) {
    const change = { revision: 1, reason: `made by ${source}` };
    return applied(await log.configure(name, queue.settings, change)) ? [] : undefined;
  }
  // Taken before anything is changed: `live` is the fold's own, and changes with it.
  const before = live.settings;
  const differing = differingFrom(before, queue);
  if (differing.includes("kind")) throw new Failure(otherKind(before, queue, source));
  const commanded = differing.filter((setting) => command === "all" || command.includes(setting));
  if (commanded.length > 0) {
    const changes = Object.fromEntries(commanded.map((setting) => [setting, queue.settings[setting]]));
    const settings: Settings = { ...before, ...changes };
    const change = { revision: live.revision + 1, reason: `applied from ${source}` };
    if (!applied(await log.configure(name, settings, change))) return undefined;
  }
  return differing.map((setting) => {
    const label = settingLabel(setting);
    const found = settingText(setting, before);
    const wanted = settingText(setting, queue.settings);
    return commanded.includes(setting)
      ? `queue ${name}: ${label} changed from ${found} to ${wanted}`
      : `queue ${name}: ${label} is ${found} in the log and ${wanted} in ${source}; the log counts (--apply changes it)`;
  });
}

/** In what a live queue is not as the file says. */
export function differingFrom(live: Settings, { settings, unsaid }: QueueConfig): SettingName[] {
  const isUnsaid = (setting: SettingName) => unsaid.some((field) => field === setting);
  return SETTING_NAMES.filter((setting) => live[setting] !== settings[setting] && !isUnsaid(setting));
}

/** What is told of a queue whose kind is another in the file. */
export function otherKind({ kind }: Settings, { name, settings }: QueueConfig, source: string): string {
  return (
    `queue ${name}: its kind is ${kind} in the log and ${settings.kind} in ${source}, and a ` +
    "queue keeps its kind; give the new one another name"
  );
}

function applied(outcome: Outcome): boolean {
  return outcome.kind === "applied";
}
