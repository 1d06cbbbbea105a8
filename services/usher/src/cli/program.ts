// The command line: `usher serve`, `usher watch`, `usher queue …`, and so on: a folder a command.

import { Command, CommanderError } from "commander";
import { EXIT, exitCode, lastWords } from "../failure.ts";
import { addInit } from "./init/command.ts";
import { addKeys } from "./keys/command.ts";
import { addLog } from "./log/command.ts";
import { addQueue } from "./queue/command.ts";
import { addRequest } from "./request/command.ts";
import { outliveReaders, say } from "./say.ts";
import { addServe } from "./serve/command.ts";
import { addTicket } from "./ticket/command.ts";
import { addTop } from "./top/command.ts";
import { addWatch } from "./watch/command.ts";

/** Runs one command. Sets the process's exit code; throws nothing. */
export async function run(argv: readonly string[]): Promise<void> {
  outliveReaders();
  try {
    await program().parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has spoken already: help on request is no failure, anything else was called wrongly.
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    say(lastWords(error));
    process.exitCode = exitCode(error);
  }
}

function program(): Command {
  const usher = new Command("usher")
    .description("A waiting room for services that get more requests than they can take.")
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "usher: ")) })
    .showHelpAfterError("(usher --help, or usher <command> --help, tells more)");
  addServe(usher);
  addInit(usher);
  addKeys(usher);
  addWatch(usher);
  addTop(usher);
  addQueue(usher);
  addTicket(usher);
  addRequest(usher);
  addLog(usher);
  return usher;
}
