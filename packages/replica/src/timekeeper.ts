// Keeps log time: stands for a term, and appends ticks while it holds one. Clocks decide when to stand and when to
// tick, never who is right: the first opening of a term in the log wins, and a tick of an older term has no effect
// wherever it is read.
//
//   waiting ── nobody keeps time, or who does is silent ──▶ standing ── first in the log ──▶ keeping
//      ▲──────────────────────── another was first, or has taken over ─────────────────────────┘
//
// The log of one process has nobody else to wait for, so its node stands at once.

import type { Fold, LogRecord, Outcome } from "@usher/queue";
import type { Clock } from "./clock.ts";
import type { Appender } from "./log/appender.ts";

/** Between ticks while anybody waits or is unanswered, in ms: the grain of the pace that the service sees. */
export const TICK_BUSY_MS = 50;

/** Between ticks while nobody does, in ms: deadlines and retention go on. */
export const TICK_IDLE_MS = 500;

/** How long a silent timekeeper is believed, in ms; 1,500, three idle ticks. Counted only while this node itself reads
 * the log to its end: in a log that nobody reaches, everybody is silent. */
export const TERM_SILENCE_MS = 1_500;

/** By how much that is lengthened at random, in ms, so that of several nodes one stands first. */
export const SPREAD_MS = 500;

/** How fresh this node's reading must be for silence to be the timekeeper's, in ms: a log elsewhere is looked at about
 * twice a second. */
export const FRESH_MS = 1_000;

/** Between two looks at whether to stand, in ms. */
const LOOK_MS = 100;

/** After a tick that the log did not take, in ms. */
const RETRY_MS = 500;

export interface TimekeeperOptions {
  readonly fold: Fold;
  readonly appender: Appender;
  readonly clock: Clock;
  /** Whether other nodes may keep time. */
  readonly shared: boolean;
  /** How long ago, in ms, this node had read everything. */
  readonly lag_ms: () => number;
  readonly onFault: (error: Error) => void;
}

export class Timekeeper {
  readonly #options: TimekeeperOptions;
  /** The monotonic time up to which ticks have counted. */
  #counted_ms = 0;
  /** When the timekeeper was last heard, or not listened to; by the monotonic clock. */
  #heard_ms: number;
  /** When time was last kept by anybody, as far as was read, or this node began to listen; by the monotonic clock. */
  #kept_ms: number;
  /** How much longer than others this node waits, this time. */
  #spread_ms: number;
  #stopped = false;
  /** The last tick was not written, as far as is known. */
  #failing = false;
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #sleepsLong = false;

  constructor(options: TimekeeperOptions) {
    this.#options = options;
    this.#heard_ms = options.clock.monotonic_ms();
    this.#kept_ms = this.#heard_ms;
    this.#spread_ms = SPREAD_MS * Math.random();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Every folded record passes here: that of a timekeeper tells that there is one. */
  folded({ event }: LogRecord, outcome: Outcome): void {
    if (outcome.kind !== "applied" || (event.kind !== "tick" && event.kind !== "term_opened")) return;
    this.#heard_ms = this.#options.clock.monotonic_ms();
    this.#kept_ms = this.#heard_ms;
  }

  /** How long nobody has kept time, in ms, as far as was read. Somebody does at least every `TICK_IDLE_MS` for as long as
   * the log takes records. */
  get silence_ms(): number {
    return this.#options.clock.monotonic_ms() - this.#kept_ms;
  }

  /** After every batch: somebody may wait now. */
  notice(): void {
    if (this.#sleepsLong && this.#keeps() && this.#busy()) this.#wake?.();
  }

  /** Gives the term back, so that a successor need not wait for silence. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
    if (!this.#keeps() || this.#failing) return;
    const { appender, fold } = this.#options;
    await appender.append({ kind: "term_closed", term: fold.term }).catch(() => {});
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let pause_ms = RETRY_MS;
      try {
        pause_ms = await this.#next();
        this.#failing = false;
      } catch (error) {
        this.#failing = true;
        if (!this.#stopped) this.#options.onFault(error instanceof Error ? error : new Error(String(error)));
      }
      if (!this.#stopped) await this.#sleep(pause_ms);
    }
  }

  /** Does what is to be done now, and tells how long to pause then. */
  async #next(): Promise<number> {
    if (this.#keeps()) await this.#tick();
    else if (this.#mayStand()) await this.#stand();
    if (!this.#keeps()) return this.#options.shared ? LOOK_MS : RETRY_MS;
    return this.#busy() ? TICK_BUSY_MS : TICK_IDLE_MS;
  }

  #keeps(): boolean {
    const { fold, appender } = this.#options;
    return fold.timekeeper !== undefined && fold.timekeeper === appender.session;
  }

  #mayStand(): boolean {
    const { shared, lag_ms, clock, fold } = this.#options;
    if (!shared) return true;
    const now_ms = clock.monotonic_ms();
    if (lag_ms() > FRESH_MS) {
      this.#heard_ms = now_ms;
      return false;
    }
    return fold.timekeeper === undefined || now_ms - this.#heard_ms >= TERM_SILENCE_MS + this.#spread_ms;
  }

  async #stand(): Promise<void> {
    const { appender, clock, fold } = this.#options;
    this.#spread_ms = SPREAD_MS * Math.random();
    await appender.append({ kind: "term_opened", term: fold.term + 1 }, { urgent: true });
    this.#counted_ms = clock.monotonic_ms();
    if (this.#keeps()) await this.#append(0);
  }

  async #tick(): Promise<void> {
    const elapsed_ms = Math.floor(this.#options.clock.monotonic_ms() - this.#counted_ms);
    await this.#append(elapsed_ms);
  }

  async #append(elapsed_ms: number): Promise<void> {
    const { appender, fold } = this.#options;
    // Counted before it is known to be written: time that may be lost is better than time that counts twice.
    this.#counted_ms += elapsed_ms;
    await appender.append({ kind: "tick", term: fold.term, elapsed_ms }, { urgent: true });
  }

  /** Somebody waits, or a stored request is unanswered. */
  #busy(): boolean {
    for (const queue of this.#options.fold.queues()) {
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
