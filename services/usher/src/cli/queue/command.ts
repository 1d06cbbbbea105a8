// `usher queue`: what operators do with queues while they run.

import type { QueueDetails } from "@usher/protocol/admin";
import { SETTINGS_BOUNDS } from "@usher/queue";
import type { Command } from "commander";
import { duration, integer, name, notice, oneOf, type Reader, thousandths } from "../../config/readers.ts";
import { EXIT, UsageError } from "../../failure.ts";
import { type AdminFlags, callAdmin, withAdminFlags } from "../client.ts";
import { flag, numberFlag } from "../flags.ts";
import { print } from "../say.ts";
import { changeOf, type SettingFlags } from "./change.ts";
import { replay } from "./replay.ts";
import { queueTable, queueText } from "./table.ts";

export function addQueue(program: Command): void {
  const queue = program
    .command("queue")
    .summary("look at queues, and change them while they run")
    .description("Looks at queues, and changes them while they run.");
  withAdminFlags(
    queue
      .command("list")
      .summary("all queues, and how they stand")
      .description("Lists all queues, and how they stand."),
  ).action(list);
  withAdminFlags(
    queue
      .command("show")
      .summary("all of one queue")
      .description("Shows all of one queue.")
      .argument("<queue>", "the queue's name", flag(name)),
  ).action(show);
  addSet(queue);
  addReplay(queue);
}

function addReplay(queue: Command): void {
  withAdminFlags(
    queue
      .command("replay")
      .summary("fold the log from its beginning, and compare")
      .description(
        "Folds the log from its beginning, here, and compares the state with what the node has made of the same " +
          "records. The node stands still while it describes its state: about 3 s for a million tickets.",
      )
      .option("--queue <queue>", "compare this queue alone (the whole log is read all the same)", flag(name))
      .option("--json", "as one JSON object"),
  )
    .addHelpText(
      "after",
      `
Examples:
  usher queue replay
  usher queue replay --queue orders --json | jq .equal

Exit codes:
  ${EXIT.ok}  the same
  ${EXIT.failed}  not the same, which should not happen; or the log cannot be read
  ${EXIT.usage}  called wrongly`,
    )
    .action(replay);
}

function addSet(queue: Command): void {
  const bounds = SETTINGS_BOUNDS;
  const command = queue
    .command("set")
    .summary("change settings of one queue")
    .description("Changes settings of one queue. In effect at once; recorded in the log, with the reason.")
    .argument("<queue>", "the queue's name", flag(name))
    .requiredOption("--reason <text>", "why, for the record")
    .option(
      "--mode <mode>",
      "auto, queue_all, paused, open or closed",
      flag(oneOf("auto", "queue_all", "paused", "open", "closed")),
    )
    .option("--rate <n>", "admitted a second, or none", orNone(thousandths(...bounds.rate_thousandths)))
    .option("--max-active <n>", "active at once, or none", orNone(integer(...bounds.max_active)))
    .option("--max-wait <duration>", "how long a ticket may wait", flag(duration(...bounds.max_wait_ms)))
    .option("--max-waiting <n>", "how many may wait", numberFlag(integer(...bounds.max_waiting)))
    .option("--session <duration>", "how long a pass lasts", flag(duration(...bounds.session_ms)))
    .option(
      "--key-retention <duration>",
      "how long what ended is remembered",
      flag(duration(...bounds.key_retention_ms)),
    )
    .option("--attempts <n>", "how often a request is tried", numberFlag(integer(...bounds.attempts)))
    .option("--notice <text>", "words to those who wait", flag(notice));
  withAdminFlags(command).action(set);
}

/** A limit, or the word `none`, which lifts it. */
function orNone(read: Reader<number>): (text: string) => number {
  const number = numberFlag(read);
  return (text) => (text === "none" ? 0 : number(text));
}

async function list(flags: AdminFlags): Promise<void> {
  const { queues } = await callAdmin(flags, async (client) => client.listQueues({}));
  print(queueTable(queues));
}

async function show(queue: string, flags: AdminFlags): Promise<void> {
  const response = await callAdmin(flags, async (client) => client.getQueue({ queue }));
  print(detailsOf(response.queue));
}

async function set(queue: string, flags: AdminFlags & SettingFlags & { reason: string }): Promise<void> {
  const change = changeOf(flags);
  if (change === undefined)
    throw new UsageError("nothing to change: give at least one setting, such as --mode paused");
  const response = await callAdmin(flags, async (client) => {
    const { queue: before } = await client.getQueue({ queue });
    return client.updateQueue({ ...change, queue, etag: before?.etag, reason: flags.reason });
  });
  print(detailsOf(response.queue));
}

function detailsOf(details: QueueDetails | undefined): string {
  return details === undefined ? "The server showed no queue." : queueText(details);
}
