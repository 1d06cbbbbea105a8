// `usher init`: the file of keys, made once, for all nodes of a log that they share.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { filePath } from "../../config/readers.ts";
import { Failure } from "../../failure.ts";
import { flag } from "../flags.ts";
import { print } from "../say.ts";

export function addInit(program: Command): void {
  program
    .command("init")
    .summary("make the file of keys that the nodes of a Kafka log share; usher keys changes it later")
    .description(
      "Makes a file of keys: fresh secrets, and one API key. All nodes of a Kafka log need the same one, and whoever\n" +
        "reads it can do everything: copy it as you would a password. A file that is there is left as it is.",
    )
    .requiredOption("--keys <file>", "the file to make", flag(filePath))
    .action(init);
}

async function init({ keys }: { readonly keys: string }): Promise<void> {
  const file = resolve(keys);
  if (existsSync(file))
    throw new Failure(
      `${file} is there already, and is left as it is: tokens and stored requests made with it need it; name another file`,
    );
  // Here, and not above: the other commands do not need a server's modules.
  const { KeysError, openKeys } = await import("@usher/replica");
  try {
    await openKeys({ file, create: true });
  } catch (error) {
    throw error instanceof KeysError ? new Failure(error.message, { cause: error }) : error;
  }
  print(`${file}: made, for its owner alone (0600). Every node of the log needs a copy of it.`);
}
