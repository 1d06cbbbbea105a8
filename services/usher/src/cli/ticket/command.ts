// `usher ticket`: what became of one ticket, and why.

import { formatTicketId } from "@usher/replica";
import type { Command } from "commander";
import { name } from "../../config/readers.ts";
import { EXIT, Failure } from "../../failure.ts";
import { type AdminClient, type AdminFlags, callAdmin, withAdminFlags } from "../client.ts";
import { flag } from "../flags.ts";
import { foldLog } from "../log/fold.ts";
import { print } from "../say.ts";
import { momentText } from "../text.ts";
import { epochFor, type NamedTicket, namedTicket } from "./name.ts";
import { Story } from "./story.ts";
import { standing, storyText, waitsOf } from "./words.ts";

interface ShowFlags extends AdminFlags {
  readonly queue?: string;
  readonly json?: boolean;
}

export function addTicket(program: Command): void {
  const ticket = program.command("ticket").summary("one ticket's story").description("Tells of one ticket.");
  withAdminFlags(
    ticket
      .command("show")
      .summary("all that the log tells of a ticket")
      .description(
        "Tells a ticket's whole story from the log: issued, admitted by which record, claimed by whom, answered or " +
          "not, and how long each took. Reads the log from its beginning, so a long one takes a while.",
      )
      .argument("<ticket>", "the ticket's id (orders:5f0c…:12), or its number with --queue")
      .option("--queue <queue>", "the queue of a ticket that is given by its number", flag(name))
      .option("--json", "as one JSON object"),
  )
    .addHelpText(
      "after",
      `
Examples:
  usher ticket show 12 --queue orders
  usher ticket show orders:5f0c1d2e3a4b5c6d:12 --json | jq .events

Exit codes:
  ${EXIT.ok}  told
  ${EXIT.failed}  there is no such ticket, or the log cannot be read
  ${EXIT.usage}  called wrongly`,
    )
    .action(show);
}

async function show(text: string, flags: ShowFlags): Promise<void> {
  const wanted = namedTicket(text, flags.queue);
  const { story, epoch } = await callAdmin(flags, (client) => storyOf(client, wanted));
  const id = formatTicketId({ ...wanted, epoch });
  print(flags.json === true ? JSON.stringify(storyJson(story, id)) : storyText(story, id));
}

async function storyOf(client: AdminClient, wanted: NamedTicket): Promise<{ story: Story; epoch: string }> {
  const { epoch, asOf } = await epochFor(client, wanted);
  const story = new Story(wanted.queue, wanted.number);
  const reader = await foldLog({
    client,
    until: asOf,
    see: (folded, { fold }) => story.see(folded, fold),
  });
  if (!story.issued) throw new Failure(missing(wanted, reader.fold.queue(wanted.queue)?.lastNumber));
  return { story, epoch };
}

function missing({ queue, number }: NamedTicket, last: number | undefined): string {
  if (last === undefined) return `there is no queue "${queue}" in the log`;
  return `there is no ticket ${number} in ${queue}: ${last === 0 ? "it has none yet" : `its last is ${last}`}`;
}

function storyJson(story: Story, id: string): object {
  const { queue, number, events, more } = story;
  return {
    ticket: { id, queue, number, standing: standing(story) },
    waits: waitsOf(story),
    events: events.map(({ wall_ms, ...event }) => ({ ...event, wall_time: momentText(wall_ms) })),
    more,
  };
}
