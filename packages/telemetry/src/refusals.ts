// What was refused, for the log of the server: the gateway tells, the program listens.

import { count } from "./tally.ts";

export interface Refusal {
  /** One of a closed set. */
  readonly reason: string;
  readonly status: number;
  /** For people; holds nothing secret. */
  readonly detail: string;
}

type Listener = (refusal: Refusal) => void;

let listener: Listener | undefined;

/** Hears of every refusal from now on; one listener a process. */
export function onRefusal(told: Listener | undefined): void {
  listener = told;
}

/** A request was refused: it is counted, and told to the log. */
export function refused(refusal: Refusal): void {
  count("usher.gateway.refusals", [refusal.reason]);
  listener?.(refusal);
}
