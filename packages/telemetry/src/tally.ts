// What is counted as it happens: plain numbers in maps, a lookup and an addition each. One set a process, as
// OpenTelemetry's own API has it, so that whoever has something to count needs nothing handed to it; a process runs one
// node.

import { TALLIES, type TallySpec } from "./names.ts";

type Tallies = typeof TALLIES;
export type TallyName = keyof Tallies;
export type CounterName = { [N in TallyName]: Tallies[N]["kind"] extends "counter" ? N : never }[TallyName];
export type HistogramName = Exclude<TallyName, CounterName>;
/** Their values, in the order in which names.ts has the labels. */
export type LabelsOf<N extends TallyName> = Strings<Tallies[N]["labels"]>;
type Strings<L extends readonly string[]> = { readonly [I in keyof L]: string };

/** Series of one name; 1,000. Labels come from the configuration and from closed sets, so this is never met; beyond
 * it, what is new is counted with every label `other`. */
const SERIES_MAX = 1_000;
const OTHER = "other";

/** One combination of labels. */
export interface Series {
  readonly labels: readonly string[];
  /** Of a counter, its value; of a histogram, the sum. */
  sum: number;
  /** Of a histogram: how many fell into each bucket, the last being above all bounds. */
  readonly buckets: number[];
}

class Tally {
  readonly spec: TallySpec;
  readonly #series = new Map<string, Series>();

  constructor(spec: TallySpec) {
    this.spec = spec;
    // Without labels there is one series, and it is there from the start.
    if (spec.labels.length === 0) this.series([]);
  }

  all(): Iterable<Series> {
    return this.#series.values();
  }

  series(labels: readonly string[]): Series {
    const key = labels.join("\n");
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= SERIES_MAX && labels[0] !== OTHER) return this.series(labels.map(() => OTHER));
    const { bounds } = this.spec;
    const series = { labels, sum: 0, buckets: new Array<number>(bounds ? bounds.length + 1 : 0).fill(0) };
    this.#series.set(key, series);
    return series;
  }
}

const tallies: ReadonlyMap<string, Tally> = new Map(
  Object.entries(TALLIES).map(([name, spec]) => [name, new Tally(spec)]),
);

/** Counts something that has happened. */
export function count<N extends CounterName>(name: N, labels: LabelsOf<N>, by = 1): void {
  const tally = tallies.get(name);
  if (tally !== undefined) tally.series(labels).sum += by;
}

/** Notes how much it was. */
export function measure<N extends HistogramName>(name: N, labels: LabelsOf<N>, value: number): void {
  const tally = tallies.get(name);
  if (tally === undefined) return;
  const { bounds = [] } = tally.spec;
  const series = tally.series(labels);
  series.sum += value;
  const at = bounds.findIndex((bound) => value <= bound);
  const bucket = at < 0 ? bounds.length : at;
  series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
}

/** All that was counted so far. */
export function* tallied(): Iterable<{ name: string; spec: TallySpec; series: Iterable<Series> }> {
  for (const [name, tally] of tallies) yield { name, spec: tally.spec, series: tally.all() };
}
