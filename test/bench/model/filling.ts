// A line is filled as lines are: some came before and have expired, some leave from anywhere, some ask twice.

import { hashesOf, randomFrom } from "./chance.ts";
import type { Contestant } from "./contestants.ts";
import { processorTime_us } from "./processor-time.ts";

const SEED = 20_261_122;
/** Parts of the line that is to wait: expired before it, left while it waits, asked twice under the same key. */
const EXPIRED = 0.05;
const LEFT = 0.05;
const REPEATED = 0.05;
const CHUNK = 50_000;

export class Filling {
  readonly line: Contestant;
  readonly #random = randomFrom(SEED);
  #first = 1;
  #last = 0;
  #issues = 0;
  #issuing_us = 0;

  constructor(line: Contestant) {
    this.line = line;
  }

  get issuesPerSecond(): number {
    return (this.#issues * 1_000_000) / this.#issuing_us;
  }

  fill(waiting: number): void {
    this.#issueNew(Math.floor(waiting * EXPIRED));
    this.line.expireAll();
    this.#first = this.#last + 1;
    const leaving = Math.floor(waiting * LEFT);
    this.#issueNew(waiting + leaving);
    this.#issueAgain(Math.floor(waiting * REPEATED));
    // Half of those who left are forgotten, half are still remembered.
    this.#leave(leaving >> 1);
    this.line.forget();
    this.#leave(leaving - (leaving >> 1));
  }

  /** A number of those who came last, whether it waits or has left. */
  anyNumber(): number {
    return this.#first + Math.floor(this.#random() * (this.#last - this.#first + 1));
  }

  #issueNew(count: number): void {
    for (let left = count; left > 0; left -= CHUNK) {
      this.#issue(Array.from({ length: Math.min(CHUNK, left) }, () => ++this.#last));
    }
  }

  #issueAgain(count: number): void {
    for (let left = count; left > 0; left -= CHUNK) {
      this.#issue(Array.from({ length: Math.min(CHUNK, left) }, () => this.anyNumber()));
    }
  }

  /** Each under a key that is made from its number, before the clock runs. */
  #issue(numbers: readonly number[]): void {
    const keys = hashesOf(numbers);
    const begin = processorTime_us();
    for (const key of keys) this.line.issue(key);
    this.#issuing_us += processorTime_us() - begin;
    this.#issues += keys.length;
  }

  #leave(count: number): void {
    for (let left = count; left > 0; ) {
      const number = this.anyNumber();
      if (!((this.line.position(number) ?? 0) > 0)) continue;
      this.line.leave(number);
      left--;
    }
  }
}
