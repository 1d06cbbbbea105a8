// How many requests are at the shop, over the time of a run; both sides on one scale.

import type { Figures, Moment } from "../figures.ts";
import { find, show } from "./elements.ts";
import { seconds } from "./words.ts";

/** What the shop can work on at once: the line in the chart. */
const LIMIT = 40;

/** The scale reaches from nobody to as many as the shop ever has, which are those at work and 1,000 who wait for them; it
 * reaches less far where fewer come, but to the line at least. */
const MOST = 1_040;
const MOST_MIN = 100;

/** The chart's size, in the units of its `viewBox`. */
const WIDTH = 300;
const HEIGHT = 80;

/** How much time is seen at least, in milliseconds; a run has about 16 s. */
const SPAN_MS = 18_000;

export type SideName = "direct" | "usher";

export class Chart {
  #moments: Moment[] = [];
  #most = MOST_MIN;

  /** How many moments it has. */
  get length(): number {
    return this.#moments.length;
  }

  /** Begins anew. */
  clear(): void {
    this.#moments = [];
  }

  /** Takes up the moments behind those that it has. */
  add({ moments, momentsBefore, buyers }: Figures): void {
    if (momentsBefore > this.#moments.length) return;
    this.#moments.splice(momentsBefore, Number.POSITIVE_INFINITY, ...moments);
    this.#most = Math.max(MOST_MIN, Math.min(MOST, buyers));
    this.#draw("direct");
    this.#draw("usher");
  }

  #draw(side: SideName): void {
    const last_ms = this.#moments.at(-1)?.at_ms ?? 0;
    const span_ms = Math.max(SPAN_MS, last_ms);
    const x = (at_ms: number) => round((at_ms / span_ms) * WIDTH);
    const y = (count: number) => round(HEIGHT * (1 - Math.min(1, count / this.#most)));
    const line = this.#moments.map((moment) => `L${x(moment.at_ms)} ${y(moment[side])}`).join("");
    const chart = find(`#${side} .chart`);
    find(".area", chart).setAttribute("d", `M0 ${HEIGHT}${line}L${x(last_ms)} ${HEIGHT}Z`);
    find(".limit", chart).setAttribute("d", `M0 ${y(LIMIT)}H${WIDTH}`);
    show(find(`#${side} .axis .span`), seconds(span_ms));
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
