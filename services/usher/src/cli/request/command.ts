// `usher request`: what operators do with stored requests.

import { TicketState } from "@usher/protocol/queue";
import { formatTicketId } from "@usher/replica";
import type { Command } from "commander";
import { name } from "../../config/readers.ts";
import { EXIT } from "../../failure.ts";
import { type AdminFlags, callAdmin, withAdminFlags } from "../client.ts";
import { flag } from "../flags.ts";
import { print } from "../say.ts";
import { printable } from "../text.ts";
import { epochFor, namedTicket } from "../ticket/name.ts";

interface RetryFlags extends AdminFlags {
  readonly queue?: string;
  readonly reason: string;
  readonly json?: boolean;
}

export function addRequest(program: Command): void {
  const request = program
    .command("request")
    .summary("send a failed request again")
    .description("Deals with stored requests.");
  withAdminFlags(
    request
      .command("retry")
      .summary("send a failed request again")
      .description(
        "Sends a failed request once more, under the same ticket and idempotency key, as soon as a gateway takes it. " +
          "One that failed was surely not carried out. One whose outcome is unknown may have been, and is refused: " +
          "ask the service what became of it.",
      )
      .argument("<ticket>", "the ticket's id (orders:5f0c…:12), or its number with --queue")
      .option("--queue <queue>", "the queue of a ticket that is given by its number", flag(name))
      .requiredOption("--reason <text>", "why, for the record")
      .option("--json", "the ticket, as JSON"),
  )
    .addHelpText(
      "after",
      `
Examples:
  usher request retry 12 --queue orders --reason "the database is back"
  usher request retry orders:5f0c1d2e3a4b5c6d:12 --reason "the database is back"

Exit codes:
  ${EXIT.ok}  taken up again; usher ticket show tells what becomes of it
  ${EXIT.failed}  refused, and nothing happened
  ${EXIT.usage}  called wrongly`,
    )
    .action(retry);
}

async function retry(text: string, flags: RetryFlags): Promise<void> {
  const wanted = namedTicket(text, flags.queue);
  const { ticket } = await callAdmin(flags, async (client) => {
    const ticketId = formatTicketId({ ...wanted, ...(await epochFor(client, wanted)) });
    return client.retryRequest({ ticketId, reason: flags.reason });
  });
  if (ticket === undefined) return;
  const { id, queue, number, state } = ticket;
  if (flags.json === true)
    print(JSON.stringify({ id, queue, number, state: TicketState[state].toLowerCase() }));
  else
    print(
      `ticket ${number} in ${printable(queue)}: taken up again, and to be sent as soon as a gateway takes it`,
    );
}
