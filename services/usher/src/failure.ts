// What ends the program, in words for the person who started it: what, where, and what to do.

/** The program cannot go on; the message says all. */
export class Failure extends Error {
  override readonly name: string = "Failure";
}

/** The program was called in a way that it does not understand. */
export class UsageError extends Failure {
  override readonly name = "UsageError";
}

/** What was to be changed was changed by somebody else meanwhile, and nothing was done. */
export class Conflict extends Failure {
  override readonly name = "Conflict";
}

export const EXIT = { ok: 0, failed: 1, usage: 2, conflict: 3, interrupted: 130 } as const;

export function exitCode(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  return error instanceof Conflict ? EXIT.conflict : EXIT.failed;
}

/** An error as the program's last words: one line for what a user can mend, a trace only for what is our own fault. */
export function lastWords(error: unknown): string {
  if (error instanceof Failure) return error.message;
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `a fault inside Usher, which should not happen: ${trace}`;
}
