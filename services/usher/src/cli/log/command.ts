// `usher log`: the log itself, as people read it.

import type { Command } from "commander";
import { integer, name } from "../../config/readers.ts";
import { EXIT } from "../../failure.ts";
import { withAdminFlags } from "../client.ts";
import { flag, numberFlag } from "../flags.ts";
import { TAIL_DEFAULT, TAIL_MAX, tail } from "./tail.ts";

export function addLog(program: Command): void {
  const log = program
    .command("log")
    .summary("read the log")
    .description("Reads the log: every fact about every queue, in order. Nothing secret is in it.");
  withAdminFlags(
    log
      .command("tail")
      .summary("the last records, and those that come")
      .description(
        "Prints the log's last records, a line each: offset, wall time, the node that wrote it, its number in the " +
          "node's session, what it is and what it says. What is no record of Usher's is shown as such, with why.",
      )
      .option(
        "-n, --number <n>",
        `how many; 0 to ${TAIL_MAX}`,
        numberFlag(integer(0, TAIL_MAX)),
        TAIL_DEFAULT,
      )
      .option("-f, --follow", "go on with what comes")
      .option("--queue <queue>", "only what concerns this queue", flag(name))
      .option("--no-ticks", "without the ticks, which come up to twenty times a second")
      .option("--json", "a JSON object a line"),
  )
    .addHelpText(
      "after",
      `
Examples:
  usher log tail --no-ticks --follow
  usher log tail -n 100 --queue orders --json | jq .event

Exit codes:
  ${EXIT.ok}    printed
  ${EXIT.failed}    the log cannot be read
  ${EXIT.usage}    called wrongly
  ${EXIT.interrupted}  stopped by Ctrl-C, with --follow`,
    )
    .action(tail);
}
