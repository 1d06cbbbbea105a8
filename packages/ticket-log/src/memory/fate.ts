// What may become of an append in a log that fails on purpose.

import type { Entry } from "../log.ts";

/**
 * - `written`: what a log is for.
 * - `refused`: not written, and said so.
 * - `lost`: not written; the outcome is unknown.
 * - `unacknowledged`: written; the outcome is unknown.
 * - `twice`: written, and written again right after.
 * - `stuck`: not written, and not answered until the log closes; then the outcome is unknown.
 * - `late`: the outcome is unknown; written once so many later entries are, whichever log they came through.
 *
 * A payload goes wherever its entry goes.
 */
export type Fate =
  | "written"
  | "refused"
  | "lost"
  | "unacknowledged"
  | "twice"
  | "stuck"
  | { readonly late: number };

/** Decides about each append, in the order in which they would be written. */
export type FateOf = (entry: Entry) => Fate;
