// Commands that go on until they are told to stop: by a signal, or because nobody reads what they write.

/** Aborts at the first SIGINT or SIGTERM, or when standard output is closed. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  process.stdout.once("close", () => stop.abort());
  return stop.signal;
}

/** Writes a line, and resolves when there is room for the next: a slow reader is waited for, not written ahead of. */
export async function printLine(line: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted || process.stdout.write(`${line}\n`)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      process.stdout.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    process.stdout.on("drain", done);
    signal.addEventListener("abort", done);
  });
}
