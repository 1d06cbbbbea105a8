// What a backend may do beside, with an API key: admit, work through the line, complete.

import { retried } from "../calls/retry.ts";
import { UsherError } from "../errors.ts";
import type { Admitted, TicketFacts } from "../rpc/rpc.ts";
import { type Admission, type AdmissionsOptions, admissions } from "./admissions.ts";
import { QueueClient } from "./client.ts";
import { randomKey } from "./keys.ts";
import type { CallOptions } from "./ticket.ts";
import type { BackendWire } from "./wire.ts";
import { type WorkOptions, work } from "./work.ts";

export interface AdmitOptions extends CallOptions {
  /** How many from the front, 1 to 10,000; or `ticket`. */
  readonly count?: number;
  /** The id of the one to admit, wherever it stands. */
  readonly ticket?: string;
  /** Makes a repeated call admit nobody twice. Default: a random one, so that the client's own retries are safe. */
  readonly requestId?: string;
}

/** The most that one call admits, by the contract. */
const ADMIT_MAX = 10_000;

export class BackendClient extends QueueClient {
  readonly #wire: BackendWire;

  constructor(wire: BackendWire) {
    super(wire);
    this.#wire = wire;
  }

  /** Admits beyond the queue's rate, one ticket or so many from the front; `max_active` still holds. Where fewer wait or
   * fit, fewer are admitted. */
  admit(queue: string, { count = 1, ticket, requestId, signal }: AdmitOptions = {}): Promise<Admitted> {
    const { rpc, retry } = this.#wire;
    if (!Number.isInteger(count) || count < 1 || count > ADMIT_MAX)
      return Promise.reject(new UsherError("invalid_field", `count: ${count} is not from 1 to ${ADMIT_MAX}`));
    const whom = ticket === undefined ? { count } : { ticket };
    const request = { queue, whom, requestId: requestId ?? randomKey() };
    return retried((call) => rpc.admit(request, call), { ...retry, signal });
  }

  /** Ends an admitted ticket, by its id, and frees its slot for the next. Completing twice is no error. */
  complete(ticket: string, { signal }: CallOptions = {}): Promise<TicketFacts> {
    const { rpc, retry } = this.#wire;
    return retried((call) => rpc.complete(ticket, call), { ...retry, signal });
  }

  /** The tickets that are admitted, in that order, each at least once: to work through the line at one's own pace.
   * Those that were admitted before are told first, if they are still active and after the cursor. */
  admissions(queue: string, options: AdmissionsOptions = {}): AsyncGenerator<Admission, void> {
    return admissions(this.#wire, queue, options);
  }

  /** The same with several at once: does the work for each, and completes its ticket. Each comes at least once: after a
   * crash, those again that were under way. Resolves once the signal is aborted and all that was begun is done with;
   * rejects with the first error of the work, after the others under way have ended. */
  work(
    queue: string,
    each: (admission: Admission) => Promise<void>,
    options: WorkOptions = {},
  ): Promise<void> {
    return work(this.#wire, queue, each, options);
  }
}
