// Why somebody was refused, in the page's own words where it has them.

import { say, type Word } from "./words.ts";

/** Of Usher's problems those that can be met here, by their type. */
const WORDS: ReadonlyMap<unknown, Word> = new Map<unknown, Word>([
  ["urn:usher:problem:queue_closed", "closed"],
  ["urn:usher:problem:queue_full", "full"],
  // Of a place that was kept from before the demo was closed.
  ["urn:usher:problem:ticket_not_found", "forgotten"],
  ["urn:usher:problem:ticket_forgotten", "forgotten"],
  ["urn:usher:problem:queue_reset", "forgotten"],
]);

/** `said`: a problem of Usher's, or what the shop has to say. */
export function reasonIn(
  said: { type?: unknown; detail?: unknown; error?: unknown },
  status: number,
): string {
  const word = WORDS.get(said.type);
  return word === undefined ? `${said.detail ?? said.error ?? status}` : say(word);
}
