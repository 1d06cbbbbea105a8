// Claims that this node gave up waiting for: the log may have them, or get them yet. One that turns up must neither be
// made twice nor be left with nobody to send.

import type { Replica } from "@usher/replica";
import { LogError } from "@usher/ticket-log";

export class Doubts {
  readonly #replica: Replica;
  readonly #queue: string;
  /** By the ticket's number, the attempt that was to be claimed. As many as there are active tickets, at most. */
  readonly #attempts = new Map<number, number>();

  constructor(replica: Replica, queue: string) {
    this.#replica = replica;
    this.#queue = queue;
  }

  /** A claim failed in this way. */
  failed(number: number, attempt: number, error: unknown): void {
    if (error instanceof LogError && error.outcome === "unknown") this.#attempts.set(number, attempt);
  }

  /** Whether the ticket is claimed by a claim of this node's that had been given up; it is in doubt no more. */
  turnedUp(number: number): boolean {
    const attempt = this.#attempts.get(number);
    if (attempt === undefined) return false;
    const active = this.#replica.fold.queue(this.#queue)?.activeTicket(number);
    if (active?.claim === undefined) return false;
    this.#attempts.delete(number);
    return active.attempt === attempt && this.#replica.isOwn(active.claim);
  }

  /** Whatever was claimed has ended. */
  over(number: number): void {
    this.#attempts.delete(number);
  }
}
