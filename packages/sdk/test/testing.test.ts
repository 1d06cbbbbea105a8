// Queues in memory, as a program's own tests have them. What they answer is held to the real server's in calls.test.ts;
// here is what no real server has: a clock that is moved, and failures on demand.

import { describe, expect, it } from "vitest";
import { createClient, type Status, type Ticket } from "../src/index.ts";
import { createTestQueues } from "../src/testing.ts";

const ONE_A_SECOND = { concert: { rate_per_second: 1 } } as const;

/** What a watch tells, as it tells it. */
function watched(ticket: Ticket): Status[] {
  const seen: Status[] = [];
  void (async () => {
    for await (const status of ticket.watch()) seen.push(status);
  })();
  return seen;
}

/** Takes so many tickets, one after the other. */
async function taken(client: ReturnType<typeof createClient>, count: number): Promise<Ticket[]> {
  const tickets: Ticket[] = [];
  while (tickets.length < count) tickets.push(await client.issue("concert"));
  return tickets;
}

function the(tickets: readonly Ticket[], at: number): Ticket {
  const ticket = tickets.at(at);
  if (ticket === undefined) throw new Error(`there is no ticket at ${at}`);
  return ticket;
}

describe("time", () => {
  it("passes when it is moved, and lets in as many as the rate says", async () => {
    const queues = createTestQueues(ONE_A_SECOND);
    const client = queues.client();
    const tickets = await taken(client, 4);
    const seen = watched(the(tickets, -1));
    await queues.advance(0);
    expect(seen.map(({ position }) => position)).toEqual([3]);
    await queues.advance(500);
    expect(seen.map(({ position }) => position)).toEqual([3]);
    await queues.advance(500);
    expect(seen.map(({ position }) => position)).toEqual([3, 2]);
    await queues.advance(60_000);
    expect(seen.map(({ position }) => position)).toEqual([3, 2, 1, 0]);
  });
});
