// The tickets that a test has taken from one queue, so that it can tell when one is lost, or a number left out.

import type { Client } from "@connectrpc/connect";
import type { IssueResponse, QueueService } from "@usher/protocol/queue";
import { expect } from "vitest";

export class Ledger {
  readonly #client: Client<typeof QueueService>;
  readonly #queue: string;
  /** By number, from 1. */
  readonly #tokens: string[] = [];

  /** `queue`: one that nobody else takes tickets from. */
  constructor(client: Client<typeof QueueService>, queue: string) {
    this.#client = client;
    this.#queue = queue;
  }

  /** The number that the last ticket has. */
  get last(): number {
    return this.#tokens.length;
  }

  /** Takes a ticket, and sees that its number is the one after the last: so nothing in between was given one, and
   * nothing was forgotten. */
  async takeNext(): Promise<IssueResponse> {
    const issued = await this.#client.issue({ queue: this.#queue });
    this.note(issued.status?.ticket?.number, issued.token);
    return issued;
  }

  /** A ticket that was taken in another way. */
  note(number: number | undefined, token: string): void {
    expect(number, `the number after ${this.last}`).toBe(this.last + 1);
    this.#tokens.push(token);
  }

  /** Sees that every ticket is there, under its own number, and that the queue knows of no more. */
  async check(): Promise<void> {
    const { queue } = await this.#client.getQueue({ queue: this.#queue });
    expect(queue?.lastNumber).toBe(this.last);
    const found = await Promise.all(this.#tokens.map((token) => this.#client.getTicket({ token })));
    const numbers = found.map(({ status }) => status?.ticket?.number);
    expect(numbers).toEqual(this.#tokens.map((_, index) => index + 1));
  }
}
