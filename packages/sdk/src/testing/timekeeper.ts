// Makes log time of the time that passes: ticks, at the pace of the server's timekeeper.

import type { Clock } from "../calls/clock.ts";
import type { MemoryLog } from "./log.ts";

/** Between ticks while anybody waits, in ms. */
const TICK_BUSY_MS = 50;

/** Between ticks while nobody does, in ms. */
const TICK_IDLE_MS = 500;

const TERM = 1;

export class Timekeeper {
  readonly #log: MemoryLog;
  readonly #clock: Clock;
  /** The time up to which ticks have counted. */
  #counted_ms: number;
  #isIdle = false;
  #cancel: () => void = () => {};

  constructor(log: MemoryLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#counted_ms = clock.now_ms();
    log.append({ kind: "term_opened", term: TERM });
    this.#tick();
  }

  /** After every record: somebody may wait now. */
  notice(): void {
    if (this.#isIdle && this.#isBusy()) this.#tickAfter(0);
  }

  #tick(): void {
    const elapsed_ms = Math.floor(this.#clock.now_ms() - this.#counted_ms);
    this.#counted_ms += elapsed_ms;
    this.#isIdle = false;
    this.#log.append({ kind: "tick", term: TERM, elapsed_ms });
    this.#isIdle = !this.#isBusy();
    this.#tickAfter(this.#isIdle ? TICK_IDLE_MS : TICK_BUSY_MS);
  }

  #tickAfter(ms: number): void {
    this.#cancel();
    this.#isIdle &&= ms > 0;
    this.#cancel = this.#clock.after(ms, () => this.#tick());
  }

  /** Somebody waits, or a stored request is unanswered. */
  #isBusy(): boolean {
    for (const queue of this.#log.fold.queues()) {
      if (queue.waiting > 0 || queue.active > queue.activeByHand) return true;
    }
    return false;
  }
}
