// What becomes of a request for a `defer` queue: straight through, a ticket, or a refusal.

import type { Lack } from "./meter.ts";

/** How the queue treats newcomers and those who wait; the queue's modes, as the log has them. */
export type Mode = "auto" | "queue_all" | "paused" | "open" | "closed";

export interface Facts {
  readonly mode: Mode;
  /** Tickets that wait, in this node's copy of the log. */
  readonly waiting: number;
  /** Tickets that this node has asked for and not yet seen in the log: they wait already. */
  readonly unfolded: number;
  /** Admitted stored requests that have not been sent yet: they were here first. */
  readonly unsent: number;
  /** What the queue's meter lacks to let one more go. */
  readonly lack: Lack;
}

/** - `under_limit`: nobody waits, and there is room and rate.
 * - `open`: the mode lets everybody through.
 * - `somebody_waits`: whoever comes now is behind them.
 * - `over_rate`, `over_room`: the limit is reached.
 * - `queue_all`, `paused`: the mode gives everybody a ticket.
 * - `closed`: the mode takes nobody in. */
export type Decision =
  | { readonly action: "pass"; readonly reason: "under_limit" | "open" }
  | {
      readonly action: "ticket";
      readonly reason: "somebody_waits" | "over_rate" | "over_room" | "queue_all" | "paused";
    }
  | { readonly action: "refuse"; readonly reason: "closed" };

/** Decides by the mode first, then by who was here before, then by the limit. In mode `auto`, who is told `pass`
 * still has to take: `Meter.take` at the same time; in mode `open`, `Meter.takeAnyway`. */
export function decide(facts: Facts): Decision {
  switch (facts.mode) {
    case "closed":
      return { action: "refuse", reason: "closed" };
    case "open":
      return { action: "pass", reason: "open" };
    case "queue_all":
    case "paused":
      return { action: "ticket", reason: facts.mode };
    case "auto":
      return decideByLoad(facts);
  }
}

function decideByLoad({ waiting, unfolded, unsent, lack }: Facts): Decision {
  if (waiting > 0 || unfolded > 0 || unsent > 0) return { action: "ticket", reason: "somebody_waits" };
  switch (lack) {
    case "room":
      return { action: "ticket", reason: "over_room" };
    case "rate":
      return { action: "ticket", reason: "over_rate" };
    case "nothing":
      return { action: "pass", reason: "under_limit" };
  }
}
