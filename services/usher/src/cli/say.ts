// What the program says to whoever runs it. Its own words go to standard error, so that standard output holds results
// alone: a configuration, a list, a place in the line.

import { bounded, visibleLines } from "./text.ts";

/** Characters of what is said at once, 16,384: room for all that may be wrong with a configuration. */
const SAID_MAX = 16_384;

/** One line, marked as ours among those of other programs; its own may follow, indented. */
export function say(text: string): void {
  process.stderr.write(`usher: ${saidText(text)}\n`);
}

/** How it is written: a service, a broker or a client may have chosen some of the words. */
export function saidText(text: string): string {
  return bounded(visibleLines(text.slice(0, SAID_MAX + 1)), SAID_MAX);
}

/** A result. */
export function print(text: string): void {
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}

/** Whoever read our words has gone away: that ends `usher watch | head`, and does not harm a server. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
}
