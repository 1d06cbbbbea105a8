// How fast a queue admits, measured in log time: admissions over the last half minute, in one-second buckets, and how
// evenly they came. `estimate.ts` makes waits of it.

import type { Measured } from "./estimate.ts";

const WINDOW_S = 30;
/** Less than this measured, and no pace is told. */
const MEASURED_MIN_MS = 1_000;

/** Over so many seconds admissions are counted for how evenly they come: what is even from second to second may still
 * come in waves. The most uneven counts. */
const SPANS_S = [1, 5] as const;
/** As if so many spans had been seen beside those that were, whose admissions came as a Poisson process: few spans say
 * little. */
const SPANS_BELIEVED = 4;

export class Pace {
  readonly #buckets = new Uint32Array(WINDOW_S);
  #second = 0;
  /** When the line last began to wait, or the limit changed: before that, nothing is measured. */
  #since_ms: number | undefined;
  /** What was made of it last: many ask between two ticks. */
  #told: { readonly now_ms: number; readonly measured: Measured | undefined } | undefined;

  /** Tells that somebody waits from now on (a pause in which nobody waits says nothing of the pace), or that another
   * limit holds. */
  begin(now_ms: number): void {
    this.#advance(now_ms);
    this.#told = undefined;
    this.#buckets.fill(0);
    this.#since_ms = now_ms;
  }

  admitted(now_ms: number): void {
    this.#advance(now_ms);
    this.#told = undefined;
    this.#buckets[this.#second % WINDOW_S]!++;
  }

  /** What the last half minute says; absent while too little was measured, or nobody was admitted. */
  measured(now_ms: number): Measured | undefined {
    if (this.#told?.now_ms !== now_ms) this.#told = { now_ms, measured: this.#measure(now_ms) };
    return this.#told.measured;
  }

  /** When it began to be measured. */
  get since_ms(): number | undefined {
    return this.#since_ms;
  }

  /** The seconds in which somebody was admitted and how many, one after the other, as far back as they count. */
  counted(now_ms: number): number[] {
    const oldest_s = Math.floor(now_ms / 1000) - WINDOW_S;
    const counts: number[] = [];
    for (let second = Math.max(this.#second - WINDOW_S, oldest_s) + 1; second <= this.#second; second++) {
      const count = this.#count(second);
      if (count > 0) counts.push(second, count);
    }
    return counts;
  }

  #measure(now_ms: number): Measured | undefined {
    if (this.#since_ms === undefined) return undefined;
    const now_s = Math.floor(now_ms / 1000);
    const oldest_ms = Math.max(this.#since_ms, (now_s - WINDOW_S + 1) * 1000);
    const measured_ms = now_ms - oldest_ms;
    if (measured_ms < MEASURED_MIN_MS) return undefined;
    let admitted = 0;
    for (let second = now_s - WINDOW_S + 1; second <= now_s; second++) admitted += this.#count(second);
    if (admitted === 0) return undefined;
    const whole = { from_s: Math.ceil(oldest_ms / 1000), to_s: now_s };
    const dispersion = Math.max(...SPANS_S.map((span_s) => this.#dispersion(span_s, whole)));
    return { perSecond: (admitted * 1000) / measured_ms, admitted, dispersion };
  }

  /** The variance of the counts of the spans over their mean, in whole seconds alone. */
  #dispersion(span_s: number, { from_s, to_s }: { from_s: number; to_s: number }): number {
    const spans = Math.floor((to_s - from_s) / span_s);
    const counts = Array.from({ length: Math.max(0, spans) }, (_, at) => {
      const last_s = to_s - at * span_s;
      let count = 0;
      for (let second = last_s - span_s; second < last_s; second++) count += this.#count(second);
      return count;
    });
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    if (!(mean > 0)) return 1;
    const squares = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0);
    return (squares / mean + SPANS_BELIEVED) / (counts.length - 1 + SPANS_BELIEVED);
  }

  /** Of a second of the window that ends with the last that was looked at. */
  #count(second: number): number {
    const isKept = second >= 0 && second <= this.#second && second > this.#second - WINDOW_S;
    return isKept ? this.#buckets[second % WINDOW_S]! : 0;
  }

  #advance(now_ms: number): void {
    const second = Math.floor(now_ms / 1000);
    for (let s = Math.max(this.#second + 1, second - WINDOW_S + 1); s <= second; s++)
      this.#buckets[s % WINDOW_S] = 0;
    this.#second = second;
  }
}
