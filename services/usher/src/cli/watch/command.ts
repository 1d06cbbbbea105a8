// `usher watch`: a place in the line, live, until the ticket's end.

import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { Mistake } from "../../config/mistake.ts";
import { origin } from "../../config/network.ts";
import { EXIT, UsageError } from "../../failure.ts";
import { callFailure, GATEWAY_URL, queueClient } from "../client.ts";
import { flag } from "../flags.ts";
import { type TicketAddress, ticketAddress } from "./address.ts";
import { followTicket } from "./follow.ts";
import { type Output, Screen } from "./screen.ts";
import { OUTCOME_CODES, outcome, placeKey, placeText, spanText } from "./words.ts";

export function addWatch(program: Command): void {
  program
    .command("watch")
    .summary("show a place in the line, live")
    .description("Shows a ticket's place in the line, live, until the ticket ends.")
    .argument("<ticket>", "the ticket's URL, as a 202 answer has it in Location, or its token")
    .option("--url <url>", "the gateway, for a token or a path", flag(origin), GATEWAY_URL)
    .addHelpText(
      "after",
      `
Exit codes:
  ${EXIT.ok}    answered, or completed
  ${EXIT.failed}    the ticket cannot be watched
  ${EXIT.usage}    called wrongly
  ${OUTCOME_CODES.failed}    failed: the request was not carried out
  ${OUTCOME_CODES.unknown}    unknown: the request may have been carried out
  ${OUTCOME_CODES.left}    left the line
  ${OUTCOME_CODES.expired}    expired
  ${EXIT.interrupted}  stopped by Ctrl-C; the ticket goes on waiting`,
    )
    .action(async (ticket: string, { url }: { url: string }) => {
      process.exitCode = await watch(addressOf(ticket, url), process.stdout);
    });
}

function addressOf(ticket: string, gateway: string): TicketAddress {
  try {
    return ticketAddress(ticket, gateway);
  } catch (error) {
    if (error instanceof Mistake) throw new UsageError(error.message);
    throw error;
  }
}

/** Resolves with the exit code. */
async function watch({ url, token }: TicketAddress, output: Output): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const screen = new Screen(output);
  let place = "";
  let code: number = EXIT.interrupted;
  const sights = followTicket({
    client: queueClient(url),
    token,
    signal: stop.signal,
    random: Math.random,
    pause: (ms) => pause(ms, undefined, { signal: stop.signal }).catch(() => {}),
  });
  try {
    for await (const sight of sights) {
      if (sight.kind === "away") {
        const text = `${sight.reason}; again in ${spanText(sight.retry_ms)}`;
        screen.show(place === "" ? text : `${place} | ${text}`, `away: ${text}`);
        continue;
      }
      place = placeText(sight.status);
      screen.show(place, placeKey(sight.status));
      if (sight.status.ticket !== undefined) code = outcome(sight.status.ticket).code;
    }
  } catch (error) {
    throw callFailure(error, url);
  } finally {
    screen.end();
  }
  return stop.signal.aborted ? EXIT.interrupted : code;
}
