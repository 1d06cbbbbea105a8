// `usher serve`: plan, start, say what is there, and stop when told to.

import type { Command } from "commander";
import type { LiveQueue, Node } from "../../serve.ts";
import { Faults } from "../faults.ts";
import { print, say } from "../say.ts";
import { places, queueLines, warnings } from "./announcement.ts";
import { type Plan, planOf, type ServeFlags, withServeFlags } from "./flags.ts";
import { StopSignals } from "./signals.ts";

export function addServe(program: Command): void {
  const command = program
    .command("serve")
    .summary("start a node: the gateway and the native gRPC listener")
    .description(
      "Starts a node: the gateway (HTTP, Connect, gRPC-Web, gRPC) and the native gRPC listener.\n" +
        "Either a file says what is protected, or --to does: it prints the file that it stands for.",
    )
    .addHelpText(
      "after",
      `
Examples:
  usher serve --to http://localhost:3000 --max-active 20
  usher serve --config usher.yaml --apply

Stops on SIGTERM and SIGINT: what is under way may end; a second signal ends it at once.`,
    );
  withServeFlags(command).action(run);
}

async function run(flags: ServeFlags): Promise<void> {
  const plan = await planOf(flags);
  for (const line of warnings(plan.config)) say(line);
  const signals = new StopSignals();
  const node = await start(plan);
  // Also while the log is waited for, which may be long.
  const begun = await Promise.race([node.ready, signals.first.then(() => undefined)]);
  if (begun !== undefined) announce(plan, node, begun);
  const signal = await signals.first;
  say(`${signal}: letting what is under way end, then stopping; once more stops at once`);
  await node.close();
  say("stopped");
  // Whatever a library still holds open must not keep a stopped server alive.
  process.exit(0);
}

async function start({ config, source, command, demo }: Plan): Promise<Node> {
  const faults = new Faults(say);
  // Here, and not above: the other commands do not need a server's modules.
  const [{ serve }, { logSource }] = await Promise.all([
    import("../../serve.ts"),
    import("../../log-source.ts"),
  ]);
  const log = logSource(config);
  const node = await serve(config, { log, source, command, demo, say, onFault: faults.report });
  // A log elsewhere may keep it waiting, so the node is introduced before; else, only one that is ready.
  if (log.elsewhere) for (const line of places(config, node)) say(line);
  return node;
}

function announce({ config, demo, yaml }: Plan, node: Node, queues: readonly LiveQueue[]): void {
  if (yaml !== undefined) {
    say("this is the usher.yaml that the flags stand for (on standard output, to be saved):");
    print(yaml);
  }
  for (const line of queueLines(queues)) say(line);
  if (config.log.kind === "sqlite") for (const line of places(config, node)) say(line);
  if (demo) say("demo         no API keys needed, this machine only");
  say("ready");
}
