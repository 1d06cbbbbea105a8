// One plot: scales, axes, areas and lines. A curve is drawn from its values at evenly spread moments.

import { count } from "../table.ts";
import { type Curve, niceTicks, sample } from "./series.ts";

export interface PlotBox {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** The time at the right edge, in milliseconds. */
  readonly length_ms: number;
  /** The value at the top edge. */
  readonly highest: number;
}

export interface Frame {
  /** Where the horizontal lines are. */
  readonly values: readonly number[];
  /** Whether they are labelled. */
  readonly labelled: boolean;
  /** Whether the time is labelled. */
  readonly times: boolean;
}

/** Pixels between two moments that are drawn. */
const GRAIN = 2;

export class Plot {
  readonly #box: PlotBox;
  readonly #moments: number;

  constructor(box: PlotBox) {
    this.#box = box;
    this.#moments = Math.floor(box.width / GRAIN) + 1;
  }

  /** The curve's values where this plot draws them. */
  values(curve: Curve): number[] {
    return sample(curve, this.#box.length_ms, this.#moments);
  }

  frame({ values, labelled, times }: Frame): string {
    const { left, top, width, height, length_ms } = this.#box;
    const bottom = top + height;
    const parts = values.map((value) => {
      const y = this.#y(value);
      const line = `<path class="${value === 0 ? "base" : "grid"}" d="M${left} ${y}h${width}"/>`;
      if (!labelled) return line;
      return `${line}<text class="axis" x="${left - 12}" y="${y + 6}" text-anchor="end">${count(value)}</text>`;
    });
    for (const second of niceTicks(length_ms / 1000, 6)) {
      const x = this.#x(second * 1000);
      parts.push(`<path class="base" d="M${x} ${bottom}v6"/>`);
      if (times)
        parts.push(`<text class="axis" x="${x}" y="${bottom + 26}" text-anchor="middle">${second}</text>`);
    }
    if (times) {
      const middle = left + width / 2;
      const text = "seconds since the first buyer came";
      parts.push(`<text class="axis" x="${middle}" y="${bottom + 56}" text-anchor="middle">${text}</text>`);
    }
    return parts.join("\n");
  }

  /** Fills between two rows of values, or from zero. */
  area(name: string, upper: readonly number[], lower?: readonly number[]): string {
    const { left, width } = this.#box;
    const back =
      lower === undefined
        ? `L${round(left + width)} ${this.#y(0)}L${left} ${this.#y(0)}`
        : this.#path(lower, true).replace("M", "L");
    return `<path class="area ${name}" d="${this.#path(upper)}${back}Z"/>`;
  }

  line(name: string, values: readonly number[]): string {
    return `<path class="line ${name}" d="${this.#path(values)}"/>`;
  }

  /** A level that is not to be passed. */
  level(value: number, text: string, labelled: boolean): string {
    const { left, width } = this.#box;
    const y = this.#y(value);
    const line = `<path class="mark" fill="none" d="M${left} ${y}h${width}"/>`;
    if (!labelled) return line;
    return `${line}<text class="note" x="${left + width}" y="${round(y - 8)}" text-anchor="end">${text}</text>`;
  }

  /** A moment worth a word. */
  mark(at_ms: number, text: string): string {
    const { top, height } = this.#box;
    const x = this.#x(at_ms);
    const line = `<path class="mark" fill="none" d="M${x} ${top}v${height}"/>`;
    return `${line}<text class="moment" x="${x + 8}" y="${top + 24}">${text}</text>`;
  }

  /** A path through the values, leaving out what lies on a straight level. */
  #path(values: readonly number[], backwards = false): string {
    const kept = values
      .map((value, index) => ({ value, index }))
      .filter(({ value, index }) => values[index - 1] !== value || values[index + 1] !== value);
    if (backwards) kept.reverse();
    const points = kept.map(({ value, index }) => {
      return `${round(this.#box.left + (this.#box.width * index) / (this.#moments - 1))} ${this.#y(value)}`;
    });
    return `M${points.join("L")}`;
  }

  #x(at_ms: number): number {
    return round(this.#box.left + (this.#box.width * at_ms) / this.#box.length_ms);
  }

  #y(value: number): number {
    return round(this.#box.top + this.#box.height * (1 - value / this.#box.highest));
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
