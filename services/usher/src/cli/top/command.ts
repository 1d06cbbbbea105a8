// `usher top`: the nodes and the queues, live.

import type { Command } from "commander";
import { origin } from "../../config/network.ts";
import { EXIT } from "../../failure.ts";
import { adminClient, GATEWAY_URL, type KeyFlags, withKeyFlags } from "../client.ts";
import { flag } from "../flags.ts";
import { print } from "../say.ts";
import { stopSignal } from "../stop.ts";
import { Nodes, REFRESH_MS } from "./nodes.ts";
import { type Picture, Pictures } from "./picture.ts";
import { FullScreen, type Terminal } from "./screen.ts";
import { pictureJson, pictureLines } from "./view.ts";

interface TopFlags extends KeyFlags {
  readonly url?: readonly string[];
  readonly once?: boolean;
  readonly json?: boolean;
}

export function addTop(program: Command): void {
  const url = flag(origin);
  withKeyFlags(
    program
      .command("top")
      .summary("the nodes and the queues, live")
      .description(
        "Shows several nodes side by side: who keeps time, how each stands to the log, and how the queues go. " +
          `Asks each of them every ${REFRESH_MS / 1_000} s; one that cannot be reached comes back by itself.`,
      )
      .option(
        "--url <url>",
        `a node's gateway; give it once for each (default: ${GATEWAY_URL})`,
        (text: string, before: readonly string[] = []) => [...before, url(text)],
      )
      .option("--once", "show it once, and end; as where standard output is no terminal")
      .option("--json", "once, as one JSON object"),
  )
    .addHelpText(
      "after",
      `
  TERM     the last term that the node has seen; * keeps time itself
  LAG      how long ago the node had read the whole log
  AS OF    how far into the log it has read
  OLDEST   how long the first in line has waited, in log time

Examples:
  usher top --url http://localhost:8080 --url http://localhost:8090
  usher top --json | jq '.nodes[] | {name, ready}'

Exit codes:
  ${EXIT.ok}    shown once, and every node was reached
  ${EXIT.failed}    shown once, and a node could not be reached
  ${EXIT.usage}    called wrongly
  ${EXIT.interrupted}  stopped by Ctrl-C`,
    )
    .action(top);
}

async function top({ url: urls = [GATEWAY_URL], once, json, ...keys }: TopFlags): Promise<void> {
  const places = await Promise.all(
    [...new Set(urls)].map(async (url) => ({ url, client: await adminClient({ ...keys, url }) })),
  );
  const nodes = new Nodes(places);
  if (once === true || json === true || process.stdout.isTTY !== true) {
    await nodes.askAll();
    const picture = new Pictures().take(nodes.sights);
    print(json === true ? JSON.stringify(pictureJson(picture)) : pictureLines(picture).join("\n"));
    if (nodes.sights.some(({ kind }) => kind !== "seen")) process.exitCode = EXIT.failed;
    return;
  }
  await live(nodes, process.stdout, stopSignal());
  process.exitCode = EXIT.interrupted;
}

/** Shows them until the signal aborts. */
export async function live(nodes: Nodes, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const pictures = new Pictures();
  let picture: Picture = pictures.take(nodes.sights);
  const screen = new FullScreen(terminal, (room) => pictureLines(picture, room));
  try {
    screen.draw();
    await nodes.askOn(signal, () => {
      picture = pictures.take(nodes.sights);
      screen.draw();
    });
  } finally {
    screen.close();
  }
}
