// The command line: `usher serve`, `usher watch`, `usher queue …`.

import { Command, CommanderError } from "commander";
import { EXIT, exitCode, lastWords } from "../failure.ts";
import { addQueue } from "./queue/command.ts";
import { outliveReaders, say } from "./say.ts";
import { addServe } from "./serve/command.ts";
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
  addWatch(usher);
  addQueue(usher);
  return usher;
}
