// What the crowd's process and the one that starts it have in common.

import type { Outcome } from "../lines.ts";

/** Buyers that one process plays, at most: each holds a socket, and a process may hold 20,000 files on a usual
 * machine. */
export const BUYERS_MAX = 15_000;

/** How far the crowd is; sent to the parent while it is busy. Only for the progress bar, and to know when to kill:
 * the result is made from the files. */
export interface CrowdProgress extends Record<Outcome, number> {
  readonly kind: "progress";
  readonly buyers: number;
  /** Buyers who have come. */
  come: number;
  /** Buyers told their ticket, counted again where they came back for it. */
  ticketed: number;
}
