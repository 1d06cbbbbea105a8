// What fails because a test says so.

import type { ErrorCode, UsherError } from "../errors.ts";
import { told } from "./refusals.ts";

/** The calls of the contract, by their names in `usher.queue.v1.QueueService`. The client makes them so: `issue` makes
 * `issue`; `ticket` and `refresh` make `getTicket`; `watch` and `admitted` make `watchPosition`, and `getTicket` where no
 * stream gets through; `queue` makes `getQueue`; `admissions` makes `watchAdmissions`. `fetch` is any request to a
 * `gateway`. */
export type CallName =
  | "issue"
  | "getTicket"
  | "watchPosition"
  | "leave"
  | "getQueue"
  | "admit"
  | "watchAdmissions"
  | "complete"
  | "fetch";

export interface Failure {
  /** Which calls fail: streams when they are opened. Default: all. */
  readonly call?: CallName;
  /** What they fail with; default: "unreachable", as where nobody answers. */
  readonly code?: ErrorCode;
  /** How many of them; 1. `Infinity`: all, until it is over. */
  readonly times?: number;
  /** Whether the call is carried out all the same, and only its answer is lost; false. Has no meaning for streams. */
  readonly carriedOut?: boolean;
  /** How long the server wants to be left alone, in milliseconds; default: as the server says for that code. */
  readonly retryAfter?: number;
}

/** A failure that a call has met. */
export interface Met {
  readonly error: UsherError;
  readonly carriedOut: boolean;
}

export class Failures {
  /** In the order in which they were told; each until it has been met as often as it says, or is called off. */
  readonly #left = new Map<Failure, number>();

  add(failure: Failure): () => void {
    this.#left.set(failure, failure.times ?? 1);
    return () => this.#left.delete(failure);
  }

  /** What this call meets; absent: nothing. */
  meet(call: CallName): Met | undefined {
    for (const [failure, left] of this.#left) {
      if (failure.call !== undefined && failure.call !== call) continue;
      if (left > 1) this.#left.set(failure, left - 1);
      else this.#left.delete(failure);
      const { code = "unreachable", carriedOut = false, retryAfter } = failure;
      return { error: told(code, `${call} fails, as the test has said (${code})`, retryAfter), carriedOut };
    }
    return undefined;
  }
}
