// From what happened to numbers over time.

import type { History } from "../checker.ts";

/** A number that changes at moments, counted in milliseconds from when the first buyer was to come: rising in time. */
export type Curve = readonly { readonly at_ms: number; readonly value: number }[];

export interface RunSeries {
  readonly curves: {
    /** How many have sent their purchase. */
    readonly came: Curve;
    /** How many have reached the shop. */
    readonly reached: Curve;
    readonly answered: Curve;
    readonly unknown: Curve;
    /** Failed or lost. */
    readonly failed: Curve;
    readonly inFlight: Curve;
  };
  readonly answered: number;
  readonly failed: number;
  readonly unknown: number;
  readonly mostInFlight: number;
  /** Until the last thing happened. */
  readonly length_ms: number;
  /** When the first connection broke; undefined when none did. */
  readonly broke_ms: number | undefined;
}

export function seriesOf({ shop, crowd }: History): RunSeries {
  const { buyers, expected } = crowd;
  const zero_ms = Math.min(...buyers.flatMap(({ due_ms }) => due_ms ?? []));
  const endsOf = (outcome: string): number[] =>
    buyers.filter((buyer) => buyer.outcome === outcome).flatMap(({ ended_ms }) => ended_ms ?? []);
  const came = counting(
    buyers.flatMap(({ sent: [first] }) => first?.at_ms ?? []),
    zero_ms,
  );
  const firsts = [...shop.byKey.values()].flatMap(([first]) => first?.arrived_ms ?? []);
  const answered = counting(endsOf("answered"), zero_ms);
  const unknown = counting(endsOf("unknown"), zero_ms);
  const failed = counting(endsOf("failed"), zero_ms);
  const broken = buyers.flatMap(({ broken }) => broken.map(({ at_ms }) => at_ms));
  const inFlight = runningSum(
    shop.purchases.flatMap(({ arrived_ms, ended_ms }) => [
      { at_ms: arrived_ms - zero_ms, by: 1 },
      ...(ended_ms === null ? [] : [{ at_ms: ended_ms - zero_ms, by: -1 }]),
    ]),
  );
  const reached = counting(firsts, zero_ms);
  const curves = { came, reached, answered, unknown, failed, inFlight };
  const last = Object.values(curves).map((curve) => curve.at(-1)?.at_ms ?? 0);
  return {
    curves,
    answered: answered.length,
    unknown: unknown.length,
    failed: expected - answered.length - unknown.length,
    mostInFlight: shop.mostInFlight,
    length_ms: Math.max(...last),
    broke_ms: broken.length === 0 ? undefined : broken.reduce((one, other) => Math.min(one, other)) - zero_ms,
  };
}

/** How many of these moments have passed. */
function counting(times_ms: readonly number[], zero_ms: number): Curve {
  return runningSum(times_ms.map((time_ms) => ({ at_ms: time_ms - zero_ms, by: 1 })));
}

function runningSum(changes: readonly { readonly at_ms: number; readonly by: number }[]): Curve {
  let value = 0;
  return changes
    .toSorted((one, other) => one.at_ms - other.at_ms)
    .map(({ at_ms, by }) => {
      value += by;
      return { at_ms, value };
    });
}

/** The curve's values at so many moments, evenly from 0 to `length_ms`: the highest since the moment before, so that
 * no peak is left out. */
export function sample(curve: Curve, length_ms: number, moments: number): number[] {
  const values: number[] = [];
  let next = 0;
  let current = 0;
  for (let moment = 0; moment < moments; moment++) {
    const until_ms = (length_ms * moment) / (moments - 1);
    let highest = current;
    while (next < curve.length && curve[next]!.at_ms <= until_ms) {
      current = curve[next++]!.value;
      highest = Math.max(highest, current);
    }
    values.push(highest);
  }
  return values;
}

/** Round values from 0 up to `highest`, about as many as wanted. */
export function niceTicks(highest: number, wanted: number): number[] {
  const rough = highest / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999)!;
  return Array.from({ length: Math.floor(highest / step) + 1 }, (_, index) => index * step);
}
