// What SQLite's and the file system's errors mean to the caller of the log.

import { LogError, type LogErrorCode } from "../log.ts";

/** A `LogError` in a form that passes between threads. */
export interface Fault {
  readonly code: LogErrorCode;
  readonly message: string;
  readonly outcome: "refused" | "unknown";
  /** The store cannot be used any more; the worker ends after this. */
  readonly fatal: boolean;
}

/** SQLite's primary result codes (sqlite.org/rescode.html) that say more than "failed". */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_TOOBIG = 18;
const SQLITE_CONSTRAINT = 19;
const SQLITE_NOTADB = 26;

/** An extended one: a write that the system refused otherwise than for want of room, such as one beyond a quota or a
 * limit on the file's size. */
const SQLITE_IOERR_WRITE = 10 | (3 << 8);

const CODES: ReadonlyMap<number, LogErrorCode> = new Map([
  [SQLITE_BUSY, "in_use"],
  [SQLITE_CORRUPT, "corrupt"],
  [SQLITE_FULL, "disk_full"],
  [SQLITE_TOOBIG, "too_large"],
  [SQLITE_NOTADB, "corrupt"],
]);

/** The store is not what it should be: no SQLite error, but as bad as one. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

/** A commit failed after it had begun: it may be in the file, and be found there after a crash. */
export class CommitError extends Error {
  override readonly name = "CommitError";
}

/** SQLite meets these while it writes, before the record that makes a commit valid: surely nothing happened, and the
 * next write may succeed. (A flush that failed is another matter: what it was to keep may be lost or not.) */
function isHarmless(error: unknown): boolean {
  const code = codeOf(error);
  if (code === "disk_full" || code === "too_large") return true;
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_IOERR_WRITE;
}

function codeOf(error: unknown): LogErrorCode {
  if (error instanceof StoreError) return "corrupt";
  if (!(error instanceof Error)) return "unavailable";
  // The low byte of an extended code is the primary one.
  if ("errcode" in error && typeof error.errcode === "number")
    return CODES.get(error.errcode & 0xff) ?? "unavailable";
  if ("code" in error && error.code === "ENOSPC") return "disk_full";
  return "unavailable";
}

/** A row that its table does not take. Of the statement nothing happened, and the transaction goes on. */
export function isUnfitRow(error: unknown): boolean {
  if (!(error instanceof Error && "errcode" in error && typeof error.errcode === "number")) return false;
  return (error.errcode & 0xff) === SQLITE_CONSTRAINT;
}

/** What to do about it, for those codes where the reader of the message can do something. */
const ADVICE: Partial<Record<LogErrorCode, string>> = {
  in_use: "another process has it open. Stop that one, or give this one a directory of its own",
  disk_full: "there is no room. Free some; nothing was written",
};

const REPAIR = "the store is damaged. Keep a copy of its directory, then restore it from a backup";

/** `error`, met while the store `file` was being used. `repair`: what to do when that is damaged. */
export function faultOf(error: unknown, file: string, repair = REPAIR): Fault {
  const reason = error instanceof CommitError ? error.cause : error;
  const code = codeOf(reason);
  const text = reason instanceof Error ? reason.message : String(reason);
  const advice = reason instanceof StoreError ? undefined : code === "corrupt" ? repair : ADVICE[code];
  const harmless = isHarmless(reason);
  return {
    code,
    message: advice === undefined ? `${file}: ${text}` : `${file}: ${advice} (${text})`,
    outcome: error instanceof CommitError && !harmless ? "unknown" : "refused",
    fatal: !harmless,
  };
}

export function errorOf(fault: Fault): LogError {
  return new LogError(fault.code, fault.message, { outcome: fault.outcome });
}
