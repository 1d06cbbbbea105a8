// Time that passes when a test says so. Whoever is to be woken on the way is, in the order of the moments, and is given
// the time to do what it was woken for before the next.

import type { Clock } from "../calls/clock.ts";
import { UsherError } from "../errors.ts";

interface Alarm {
  readonly at_ms: number;
  readonly wake: () => void;
}

// As it was when this file was loaded: a test may put fake timers in its place.
const immediately = setImmediate;

export class MovedClock implements Clock {
  /** At most one for each stream, pause and silence that is being waited for. */
  readonly #alarms = new Set<Alarm>();
  /** What takes real time: a few digests at most. */
  readonly #work = new Set<Promise<unknown>>();
  #now_ms = 0;
  #moving: Promise<void> = Promise.resolve();

  now_ms(): number {
    return this.#now_ms;
  }

  after(ms: number, wake: () => void): () => void {
    const alarm = { at_ms: this.#now_ms + Math.max(0, ms), wake };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  during<A>(work: Promise<A>): Promise<A> {
    const over = work.finally(() => this.#work.delete(over));
    this.#work.add(over);
    return over;
  }

  /** Resolves when all that was to happen within this time has happened. Several at once go one after the other. */
  advance(ms: number): Promise<void> {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY))
      return Promise.reject(new UsherError("misused", `time cannot be advanced by ${ms} ms`));
    this.#moving = this.#moving.then(() => this.#advance(ms));
    return this.#moving;
  }

  async #advance(ms: number): Promise<void> {
    const until_ms = this.#now_ms + ms;
    await this.#settled();
    for (let next = this.#next(until_ms); next !== undefined; next = this.#next(until_ms)) {
      this.#alarms.delete(next);
      this.#now_ms = next.at_ms;
      next.wake();
      await this.#settled();
    }
    this.#now_ms = until_ms;
  }

  /** Resolves when all that can go on by itself has. */
  async #settled(): Promise<void> {
    await turn();
    while (this.#work.size > 0) {
      await Promise.allSettled(this.#work);
      await turn();
    }
  }

  /** The next to be woken, until then; of those at the same moment, the one that asked first. */
  #next(until_ms: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.at_ms <= until_ms && (next === undefined || alarm.at_ms < next.at_ms)) next = alarm;
    }
    return next;
  }
}

/** Resolves when every promise that is settled has told so. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    immediately(resolve);
  });
}
