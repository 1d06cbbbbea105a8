// What a visitor's program and a web page may do: take a ticket, take up one again, look at a queue.

// Stays in the declarations: whoever installs them may have an older `lib`, without `Symbol.dispose`.
/// <reference lib="esnext.disposable" preserve="true" />

import { retried } from "../calls/retry.ts";
import type { QueueStatus } from "../rpc/rpc.ts";
import { randomKey } from "./keys.ts";
import { type CallOptions, Ticket } from "./ticket.ts";
import type { Wire } from "./wire.ts";

export interface IssueOptions extends CallOptions {
  /** Makes it one ticket, however often it is asked for: 1 to 255 printable ASCII characters; without an API key, at least
   * 22, that nobody can guess. Default: a random one, so that the client's own retries are safe. */
  readonly idempotencyKey?: string;
  /** Who the ticket is for, in your own terms; only with an API key. In a pass queue, one subject has one live ticket. */
  readonly subject?: string;
  /** Handed to the backend with the admission; at most 16, names to 64 bytes, values to 256. */
  readonly attributes?: Readonly<Record<string, string>>;
}

export class QueueClient {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Takes a ticket: resolves when it is durable and has its number. */
  async issue(queue: string, { signal, idempotencyKey, ...wish }: IssueOptions = {}): Promise<Ticket> {
    const { rpc, retry } = this.#wire;
    const request = { queue, idempotencyKey: idempotencyKey ?? randomKey(), ...wish };
    const { token, status, existing } = await retried((call) => rpc.issue(request, call), {
      ...retry,
      signal,
    });
    return new Ticket(this.#wire, token, status, existing);
  }

  /** Takes up a ticket by its token: after a restart, or in another process. */
  async ticket(token: string, { signal }: CallOptions = {}): Promise<Ticket> {
    const { rpc, retry } = this.#wire;
    const held = { token, asOf: "0" };
    const status = await retried((call) => rpc.getTicket(held, call), { ...retry, signal });
    return new Ticket(this.#wire, token, status, true);
  }

  /** How a queue stands: how many wait, who is being served, the pace. */
  queue(name: string, { signal }: CallOptions = {}): Promise<QueueStatus> {
    const { rpc, retry } = this.#wire;
    return retried((call) => rpc.getQueue(name, call), { ...retry, signal });
  }

  /** Closes the connections. Streams that are open, and calls that are made later, end with `canceled`. */
  close(): void {
    this.#wire.rpc.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
