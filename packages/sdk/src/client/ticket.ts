// A ticket in the hands of whoever took it.

import { retried } from "../calls/retry.ts";
import { UsherError } from "../errors.ts";
import { follow } from "../following/follow.ts";
import { hasEnded, later, type Status } from "../status.ts";
import type { Wire } from "./wire.ts";

export interface WatchOptions {
  /** Ends the watch; the ticket keeps its place. */
  readonly signal?: AbortSignal;
  /** Told of each failure that is mended without a word: for a log. */
  readonly onRetry?: (error: UsherError) => void;
}

/** What every call takes that is not a stream. */
export interface CallOptions {
  /** Gives the call up: it rejects with `canceled`, and may have been carried out. */
  readonly signal?: AbortSignal;
}

export class Ticket {
  /** Proves that its holder holds the ticket. Secret: whoever has it can look, leave, and collect the pass. */
  readonly token: string;
  /** Whether it was there already, under the same idempotency key or subject. */
  readonly existing: boolean;
  readonly #wire: Wire;
  #status: Status;

  constructor(wire: Wire, token: string, status: Status, existing: boolean) {
    this.#wire = wire;
    this.token = token;
    this.existing = existing;
    this.#status = status;
  }

  /** Names it for ever; holds no secret. */
  get id(): string {
    return this.#status.id;
  }

  /** The queue's name. */
  get queue(): string {
    return this.#status.queue;
  }

  /** The n-th ticket of the queue has number n. */
  get number(): number {
    return this.#status.number;
  }

  /** The last that is known. */
  get status(): Status {
    return this.#status;
  }

  /** Asks where it stands now. */
  async refresh({ signal }: CallOptions = {}): Promise<Status> {
    const { rpc, retry } = this.#wire;
    const held = { token: this.token, asOf: this.#status.asOf };
    return this.#take(await retried((call) => rpc.getTicket(held, call), { ...retry, signal }));
  }

  /** Yields where it stands, at once and at every change, until its end. Streams that break are opened anew, on whatever
   * node answers; where streams do not get through, it asks at the pace that the server names. Positions never rise.
   * Throws a `UsherError` where no further try would help; `canceled` when the signal is aborted. */
  async *watch({ signal, onRetry }: WatchOptions = {}): AsyncGenerator<Status, void> {
    const { rpc, retry, timings } = this.#wire;
    const { token } = this;
    const { budget, timeout, clock } = retry;
    const statuses = follow(
      {
        stream: (asOf, signal) => rpc.watchPosition({ token, asOf }, { signal, timeout }),
        ask: (asOf, signal) => rpc.getTicket({ token, asOf }, { signal, timeout }),
      },
      { budget, signal, timings, clock, from: this.#status, ...(onRetry && { onRetry }) },
    );
    yield this.#status;
    if (hasEnded(this.#status)) return;
    for await (const status of statuses) {
      const news = this.#take(status);
      yield news;
    }
  }

  /** Resolves when it is admitted. Rejects with `not_admitted` when it ends before, and with what `watch` throws. */
  async admitted(options: WatchOptions = {}): Promise<Status> {
    for await (const status of this.watch(options)) {
      if (status.state === "admitted" || status.state === "completed") return status;
      if (hasEnded(status))
        throw new UsherError("not_admitted", `ticket ${this.number} of ${this.queue} has ${status.state}`);
    }
    throw new UsherError("not_admitted", `ticket ${this.number} of ${this.queue} was not admitted`);
  }

  /** Gives it up. Rejects with `already_claimed` once its stored request is on its way. */
  async leave({ signal }: CallOptions = {}): Promise<Status> {
    const { rpc, retry } = this.#wire;
    return this.#take(await retried((call) => rpc.leave(this.token, call), { ...retry, signal }));
  }

  #take(status: Status): Status {
    this.#status = later(this.#status, status);
    return this.#status;
  }
}
