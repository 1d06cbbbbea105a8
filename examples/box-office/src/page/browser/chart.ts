// How many requests are at the shop, over the time of a run; both sides on one scale.

import { find } from "./elements.ts";

/** What the shop can work on at once: the line in the chart. */
const LIMIT = 40;

/** The scale reaches to this at least. */
const MOST_MIN = 100;

/** The chart's size, in the units of its `viewBox`. */
const WIDTH = 300;
const HEIGHT = 80;

/** How much time is seen at least, in milliseconds; a run has about 16 s. */
const SPAN_MS = 18_000;

/** Moments that are kept, at most: a run of a minute, looked at three times a second. */
const MOMENTS_MAX = 240;

export type SideName = "direct" | "usher";

interface Moment extends Readonly<Record<SideName, number>> {
  readonly at_ms: number;
}

export class Chart {
  #moments: Moment[] = [];
  #most = MOST_MIN;

  /** Begins anew. */
  clear(): void {
    this.#moments = [];
    this.#most = MOST_MIN;
  }

  /** `most`: what the scale reaches to, at least. */
  add(direct: number, usher: number, most: number): void {
    this.#most = Math.max(this.#most, most);
    if (this.#moments.length < MOMENTS_MAX) this.#moments.push({ at_ms: performance.now(), direct, usher });
    this.#draw("direct");
    this.#draw("usher");
  }

  #draw(side: SideName): void {
    const from_ms = this.#moments[0]?.at_ms ?? 0;
    const last_ms = this.#moments.at(-1)?.at_ms ?? 0;
    const span_ms = Math.max(SPAN_MS, last_ms - from_ms);
    const x = (at_ms: number) => round(((at_ms - from_ms) / span_ms) * WIDTH);
    const y = (count: number) => round(HEIGHT * (1 - count / this.#most));
    const line = this.#moments.map((moment) => `L${x(moment.at_ms)} ${y(moment[side])}`).join("");
    const chart = find(`#${side} .chart`);
    find(".area", chart).setAttribute("d", `M0 ${HEIGHT}${line}L${x(last_ms)} ${HEIGHT}Z`);
    find(".limit", chart).setAttribute("d", `M0 ${y(LIMIT)}H${WIDTH}`);
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
