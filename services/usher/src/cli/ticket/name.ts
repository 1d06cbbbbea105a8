// How commands are told which ticket is meant: by its id, or by its queue and number.

import { parseTicketId } from "@usher/replica";
import { Failure, UsageError } from "../../failure.ts";
import type { AdminClient } from "../client.ts";

export interface NamedTicket {
  readonly queue: string;
  readonly number: number;
  /** Absent: of the log that there is. */
  readonly epoch?: string;
}

/** Throws a `UsageError` for what names none. */
export function namedTicket(text: string, queue: string | undefined): NamedTicket {
  const id = parseTicketId(text);
  if (id !== undefined) {
    if (queue !== undefined && queue !== id.queue)
      throw new UsageError(`the ticket is of the queue ${id.queue}, not of ${queue}: leave --queue out`);
    return id;
  }
  if (!/^[1-9][0-9]{0,9}$/.test(text))
    throw new UsageError(
      `"${text}" is no ticket: give its id, such as orders:5f0c1d2e3a4b5c6d:12, or its number`,
    );
  if (queue === undefined) throw new UsageError(`ticket ${text} of which queue? Give --queue`);
  return { queue, number: Number(text) };
}

/** The node's epoch, which is the ticket's; and how far the node has read. Throws a `Failure` for a ticket of another
 * log. */
export async function epochFor(
  client: AdminClient,
  { epoch: named }: NamedTicket,
): Promise<{ epoch: string; asOf: number }> {
  const { node } = await client.getNode({});
  const epoch = node?.epoch ?? "";
  if (named !== undefined && named !== epoch)
    throw new Failure(`the ticket is of another log (epoch ${named}), and this one is ${epoch}`);
  return { epoch, asOf: Number(node?.log?.asOf ?? 0n) };
}
