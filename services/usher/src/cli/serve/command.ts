// `usher serve`: plan, start, say what is there, and stop when told to.

import type { ServerLog } from "@usher/telemetry";
import type { Command } from "commander";
import { exitCode, lastWords } from "../../failure.ts";
import type { LiveQueue, Node } from "../../serve.ts";
import { Faults } from "../faults.ts";
import { print } from "../say.ts";
import { places, queueLines, warnings } from "./announcement.ts";
import { type Plan, planOf, type ServeFlags, withServeFlags } from "./flags.ts";
import { openServerLog } from "./log.ts";
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
  const log = await openServerLog(flags.logFormat);
  try {
    await serveUntilStopped(flags, log);
  } catch (error) {
    log("error", lastWords(error));
    process.exitCode = exitCode(error);
    return;
  }
  // Whatever a library still holds open must not keep a stopped server alive.
  process.exit(0);
}

async function serveUntilStopped(flags: ServeFlags, log: ServerLog): Promise<void> {
  const say = (line: string): void => log("info", line);
  const plan = await planOf(flags);
  for (const line of warnings(plan.config)) log("warn", line);
  const signals = new StopSignals(say);
  const { report } = new Faults((line, fields) => log("error", line, fields));
  const tracing = await startTelemetry(log, report);
  try {
    const node = await start(plan, say, report);
    // Also while the log is waited for, which may be long.
    const begun = await Promise.race([node.ready, signals.first.then(() => undefined)]);
    if (begun !== undefined) announce(plan, node, begun, say);
    const signal = await signals.first;
    say(`${signal}: letting what is under way end, then stopping; once more stops at once`);
    await node.close();
  } finally {
    await tracing?.close();
  }
  say("stopped");
}

/** Traces, if the environment asks for them, and a line in the log for what is refused. */
async function startTelemetry(log: ServerLog, onFault: (error: unknown) => void) {
  const [{ onRefusal, startTracing }, { VERSION }] = await Promise.all([
    import("@usher/telemetry"),
    import("@usher/replica"),
  ]);
  onRefusal(new Faults((line, fields) => log("warn", line, fields)).refused);
  return startTracing({ version: VERSION, onFault });
}

type Say = (line: string) => void;

async function start(plan: Plan, say: Say, onFault: (error: unknown) => void): Promise<Node> {
  const { config, source, command, demo } = plan;
  // Here, and not above: the other commands do not need a server's modules.
  const [{ serve }, { logSource }] = await Promise.all([
    import("../../serve.ts"),
    import("../../log-source.ts"),
  ]);
  const log = logSource(config);
  const node = await serve(config, { log, source, command, demo, say, onFault });
  // A log elsewhere may keep it waiting, so the node is introduced before; else, only one that is ready.
  if (log.elsewhere) for (const line of places(config, node)) say(line);
  return node;
}

function announce(plan: Plan, node: Node, queues: readonly LiveQueue[], say: Say): void {
  const { config, demo, yaml } = plan;
  if (yaml !== undefined) {
    say("this is the usher.yaml that the flags stand for (on standard output, to be saved):");
    print(yaml);
  }
  for (const line of queueLines(queues)) say(line);
  if (config.log.kind === "sqlite") for (const line of places(config, node)) say(line);
  if (demo) say("demo         no API keys needed, this machine only");
  say("ready");
}
