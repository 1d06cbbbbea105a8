// What the program says to whoever runs it. Its own words go to standard error, so that standard output holds results
// alone: a configuration, a list, a place in the line.

/** One line, marked as ours among those of other programs. */
export function say(text: string): void {
  process.stderr.write(`usher: ${text}\n`);
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
