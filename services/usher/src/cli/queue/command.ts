// `usher queue`: what operators do with queues while they run.

import { SETTINGS_BOUNDS } from "@usher/queue";
import type { Command } from "commander";
import { origin } from "../../config/network.ts";
import {
  duration,
  filePath,
  integer,
  name,
  notice,
  oneOf,
  type Reader,
  thousandths,
} from "../../config/readers.ts";
import { EXIT } from "../../failure.ts";
import { type AdminFlags, callAdmin, withAdminFlags } from "../client.ts";
import { flag, numberFlag } from "../flags.ts";
import { print } from "../say.ts";
import { apply } from "./apply.ts";
import { history } from "./history.ts";
import { replay } from "./replay.ts";
import { set } from "./set.ts";
import { detailsText, queueTable } from "./table.ts";

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
  addApply(queue);
  addHistory(queue);
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
  withAdminFlags(command)
    .option("--etag <etag>", "only if the queue is still as it was shown with this etag (usher queue show)")
    .option("--at <url>", "another node, to see since when it is in effect there; may be repeated", several)
    .addHelpText(
      "after",
      `
Examples:
  usher queue set orders --mode paused --notice "Back at ten." --reason "the shop is down"
  usher queue set orders --max-active 20 --reason "half of the shop is away" --at http://other:8080

Exit codes:
  ${EXIT.ok}  changed
  ${EXIT.failed}  refused, and nothing was changed
  ${EXIT.usage}  called wrongly
  ${EXIT.conflict}  somebody else changed the queue meanwhile, and nothing was changed; who and what is told`,
    )
    .action(set);
}

function several(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, flag(origin)(text)];
}

function addApply(queue: Command): void {
  withAdminFlags(
    queue
      .command("apply")
      .summary("make queues what a file says")
      .description(
        "Shows where queues are not as the file says, and changes them, with the reason in the log. Of a whole " +
          "usher.yaml, only its queues are looked at; mode and notice stay where the file does not speak of them, and " +
          "so do queues. New queues are made when a node starts with them in its configuration, and not here.",
      )
      .requiredOption("-f, --file <file>", "the file: usher.yaml, or one with queues alone", flag(filePath))
      .option("--reason <text>", "why, for the record; needed where there is something to change")
      .option("--dry-run", "only show the difference"),
  )
    .addHelpText(
      "after",
      `
Examples:
  usher queue apply -f usher.yaml --dry-run
  usher queue apply -f usher.yaml --reason "more room for Friday"

Exit codes:
  ${EXIT.ok}  applied, or nothing to do, or shown with --dry-run
  ${EXIT.failed}  refused, or the file has mistakes; what was applied before is told
  ${EXIT.usage}  called wrongly, or --reason is missing
  ${EXIT.conflict}  somebody else changed a queue meanwhile: who and what is told, and what was applied before`,
    )
    .action(apply);
}

function addHistory(queue: Command): void {
  withAdminFlags(
    queue
      .command("history")
      .summary("who changed a queue, when, what and why")
      .description(
        "Tells all changes of a queue's settings, from the log: when (by the wall clock of the node that wrote it), " +
          "who (an API key's id, or the node whose file says so), what, from and to, and why. Reads the log from its " +
          "beginning, so a long one takes a while.",
      )
      .argument("<queue>", "the queue's name", flag(name))
      .option("--json", "as one JSON object"),
  )
    .addHelpText(
      "after",
      `
Examples:
  usher queue history orders
  usher queue history orders --json | jq '.changes[-1]'

Exit codes:
  ${EXIT.ok}  told
  ${EXIT.failed}  there is no such queue, or the log cannot be read
  ${EXIT.usage}  called wrongly`,
    )
    .action(history);
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
  print(detailsText(response.queue));
}
