// `usher keys`: looks at the file of keys, and changes it while nodes run that read it. No command shows a secret, but
// for a new API key, once.
//
//   place.ts   which file     list.ts   what is in it     change.ts   what becomes of it

import type { Command } from "commander";
import { duration, filePath, oneOf } from "../../config/readers.ts";
import { flag } from "../flags.ts";
import { pruneFile, revokeInFile, rotateInFile } from "./change.ts";
import { listFile } from "./list.ts";

const SECOND_MS = 1_000;
const DAY_MS = 24 * 60 * 60 * SECOND_MS;

/** The longest time between making a key and using it, or between its being superseded and its removal. */
const LONGEST_MS = 3_650 * DAY_MS;

const LISTS = ["signing", "tag", "encryption"] as const;
const KINDS = [...LISTS, "api"] as const;
export type RotatedKind = (typeof KINDS)[number];

export function addKeys(program: Command): void {
  const keys = program
    .command("keys")
    .summary("look at the file of keys, rotate, revoke and prune them")
    .description(
      "Looks at the file of keys, and changes it. Nodes read it again by themselves within two seconds; where nodes\n" +
        "have copies of it, change one and copy it to the others.",
    );
  withFile(
    keys
      .command("list")
      .summary("which keys there are, without the secrets")
      .description("Lists the keys, since when each is in use, and never a secret."),
  ).action(listFile);
  addRotate(keys);
  withFile(
    keys
      .command("revoke")
      .summary("an API key is no longer good")
      .description(
        "Takes an API key out of the file. Nodes refuse it as soon as they have read the file again.",
      )
      .argument("<id>", "the API key's id, as usher keys list has it"),
  ).action(revokeInFile);
  withFile(
    keys
      .command("prune")
      .summary("remove keys that have been superseded for long")
      .description(
        "Removes keys that have made nothing for so long. What they made is no good afterwards: tokens, passes, stored\n" +
          "requests. The default is the longest time that any of these can be needed. The key in use always stays.",
      )
      .argument("[kind]", `${LISTS.join(", ")} (default: all of them)`, flag(oneOf(...LISTS)))
      .option(
        "--older-than <duration>",
        "how long ago they were superseded",
        flag(duration(0, LONGEST_MS)),
        31 * DAY_MS,
      ),
  ).action(pruneFile);
}

function addRotate(keys: Command): void {
  withFile(
    keys
      .command("rotate")
      .summary("add a key, which takes the place of the former")
      .description(
        "Adds a key. The former stay good for what they made: nobody who waits notices.\n\n" +
          "A new signing, tag or encryption key is made known at once, and used from a little later on, so that every node\n" +
          "knows it before the first has used it. A new API key is good at once, and printed: it is shown this once.",
      )
      .argument("<kind>", KINDS.join(", "), flag(oneOf(...KINDS)))
      .option("--id <id>", "the new key's id (default: one of its own)")
      .option("--in <duration>", "when it comes into use (default: 2m)", flag(duration(0, LONGEST_MS)))
      .option("--caller <name>", "with api: whose key it is (default: the only caller there is)"),
  )
    .addHelpText(
      "after",
      `
Examples:
  usher keys rotate signing
  usher keys rotate encryption --in 10m --keys usher.keys.json
  usher keys rotate api && usher keys revoke default`,
    )
    .action(rotateInFile);
}

function withFile(command: Command): Command {
  return command
    .option("--keys <file>", "the file of keys", flag(filePath))
    .option("--config <file>", "the configuration that names it (default: usher.yaml, if there is one)");
}
