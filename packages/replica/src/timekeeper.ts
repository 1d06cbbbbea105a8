// Keeps log time: opens a term, and appends ticks. Clocks decide when to tick, never who is right: a tick of an
// older term has no effect wherever it is read. The embedded log has one node, so it stands at once.

import type { Fold } from "@usher/queue";
import type { Clock } from "./clock.ts";
import type { Appender } from "./log/appender.ts";

/** Between ticks while anybody waits or is unanswered, in ms: the grain of the pace that the service sees. */
export const TICK_BUSY_MS = 50;

/** Between ticks while nobody does, in ms: deadlines and retention go on. */
export const TICK_IDLE_MS = 500;

/** After a tick that the log did not take, in ms. */
const RETRY_MS = 500;

export class Timekeeper {
  readonly #fold: Fold;
  readonly #appender: Appender;
  readonly #clock: Clock;
  readonly #onFault: (error: Error) => void;
  /** The monotonic time up to which ticks have counted. */
  #counted_ms = 0;
  #stopped = false;
  /** The last tick was not written, as far as is known. */
  #failing = false;
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #sleepsLong = false;

  constructor(options: { fold: Fold; appender: Appender; clock: Clock; onFault: (error: Error) => void }) {
    this.#fold = options.fold;
    this.#appender = options.appender;
    this.#clock = options.clock;
    this.#onFault = options.onFault;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** After every batch: somebody may wait now. */
  notice(): void {
    if (this.#sleepsLong && this.#busy()) this.#wake?.();
  }

  /** Gives the term back, so that a successor need not wait for silence. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
    if (!this.#keeps() || this.#failing) return;
    await this.#appender.append({ kind: "term_closed", term: this.#fold.term }).catch(() => {});
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let pause_ms = RETRY_MS;
      try {
        await (this.#keeps() ? this.#tick() : this.#stand());
        this.#failing = false;
        pause_ms = this.#busy() ? TICK_BUSY_MS : TICK_IDLE_MS;
      } catch (error) {
        this.#failing = true;
        if (!this.#stopped) this.#onFault(error instanceof Error ? error : new Error(String(error)));
      }
      if (!this.#stopped) await this.#sleep(pause_ms);
    }
  }

  #keeps(): boolean {
    return this.#fold.timekeeper !== undefined && this.#fold.timekeeper === this.#appender.session;
  }

  async #stand(): Promise<void> {
    await this.#appender.append({ kind: "term_opened", term: this.#fold.term + 1 }, { urgent: true });
    this.#counted_ms = this.#clock.monotonic_ms();
    if (this.#keeps()) await this.#append(0);
  }

  async #tick(): Promise<void> {
    const elapsed_ms = Math.floor(this.#clock.monotonic_ms() - this.#counted_ms);
    await this.#append(elapsed_ms);
  }

  async #append(elapsed_ms: number): Promise<void> {
    // Counted before it is known to be written: time that may be lost is better than time that counts twice.
    this.#counted_ms += elapsed_ms;
    await this.#appender.append({ kind: "tick", term: this.#fold.term, elapsed_ms }, { urgent: true });
  }

  /** Somebody waits, or a stored request is unanswered. */
  #busy(): boolean {
    for (const queue of this.#fold.queues()) {
      if (queue.waiting > 0 || queue.active > queue.activeByHand) return true;
    }
    return false;
  }

  #sleep(pause_ms: number): Promise<void> {
    this.#sleepsLong = pause_ms > TICK_BUSY_MS;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), pause_ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        this.#sleepsLong = false;
        resolve();
      };
    });
  }
}
