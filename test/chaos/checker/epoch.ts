import { createHash } from "node:crypto";

/** A queue's epoch, as tickets' ids carry it: of the log's genesis (in hexadecimal), in the queue's first life. */
export function epochOf(genesis: string): string {
  return createHash("sha256").update(`${genesis}:1`).digest("hex").slice(0, 16);
}
