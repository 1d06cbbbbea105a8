// `usher serve`: plan, start, say what is there, and stop when told to.

import { relative, sep } from "node:path";
import type { Command } from "commander";
import type { Node } from "../../serve.ts";
import { settingText } from "../../settings-text.ts";
import { Faults } from "../faults.ts";
import { print, say } from "../say.ts";
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
  const signals = new StopSignals();
  const faults = new Faults(say);
  const { source, command, demo } = plan;
  // Here, and not above: the other commands do not need a server's modules.
  const { serve } = await import("../../serve.ts");
  const node = await serve(plan.config, { source, command, demo, say, onFault: faults.report });
  if (plan.yaml !== undefined) {
    say("this is the usher.yaml that the flags stand for (on standard output, to be saved):");
    print(plan.yaml);
  }
  announce(plan, node);
  const signal = await signals.first;
  say(`${signal}: letting what is under way end, then stopping; once more stops at once`);
  await node.close();
  say("stopped");
  // Whatever a library still holds open must not keep a stopped server alive.
  process.exit(0);
}

function announce({ config, demo }: Plan, { url, grpc_port, queues }: Node): void {
  if (config.trusted_proxies.length > 0)
    say(
      "trusted_proxies is set, but this build does not use it yet: nobody's forwarding headers are believed",
    );
  const { host } = config.listen;
  const address = host.includes(":") ? `[${host}]:${grpc_port}` : `${host}:${grpc_port}`;
  for (const line of queueLines(queues)) say(line);
  say(`gateway      ${url} (HTTP, Connect, gRPC-Web, gRPC)`);
  say(`native gRPC  ${address} (reflection, health)`);
  say(`data         ${fromHere(config.log.directory)}, keys in ${fromHere(config.keys)}`);
  if (demo) say("demo         no API keys needed, this machine only");
  say("ready");
}

/** How many queues are shown when the node starts; the others are in the file, and in `usher queue list`. */
const QUEUES_SHOWN = 5;

function queueLines(queues: Node["queues"]): string[] {
  const lines = queues.slice(0, QUEUES_SHOWN).map(({ name, settings }) => {
    const { kind, mode, rate_thousandths, max_active } = settings;
    const limits = [
      ...(rate_thousandths === 0 ? [] : [`${settingText("rate_thousandths", settings)} a second`]),
      ...(max_active === 0 ? [] : [`${max_active} at once`]),
    ];
    return `queue        ${name} (${mode === "auto" ? kind : `${kind}, ${mode}`}): ${limits.join(", ")}`;
  });
  const more = queues.length - QUEUES_SHOWN;
  return more > 0 ? [...lines, `             and ${more} more`] : lines;
}

/** A path, short where it is below the working directory. */
function fromHere(path: string): string {
  const inside = relative(process.cwd(), path);
  return inside.startsWith("..") ? path : `.${sep}${inside}`;
}
