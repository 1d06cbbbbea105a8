// What was tallied, in the shape in which OpenTelemetry's exporters take metrics.

import { type HrTime, ValueType } from "@opentelemetry/api";
import { AggregationTemporality, DataPointType, type MetricData } from "@opentelemetry/sdk-metrics";
import type { TallySpec } from "./names.ts";
import { type Series, tallied } from "./tally.ts";

export function tallyMetrics(): MetricData[] {
  const startTime = hrTime(performance.timeOrigin);
  const endTime = hrTime(Date.now());
  return [...tallied()].map(({ name, spec, series }) => {
    const common = {
      descriptor: { name, description: spec.meaning, unit: "", valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
    };
    const pointOf = <T>(one: Series, value: T) => ({
      ...{ startTime, endTime, value },
      attributes: Object.fromEntries(spec.labels.map((label, at) => [label, one.labels[at] ?? ""])),
    });
    if (spec.kind === "counter")
      return {
        ...common,
        dataPointType: DataPointType.SUM,
        isMonotonic: true,
        dataPoints: [...series].map((one) => pointOf(one, one.sum)),
      };
    return {
      ...common,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: [...series].map((one) => pointOf(one, histogramOf(spec, one))),
    };
  });
}

function histogramOf({ bounds = [] }: TallySpec, { sum, buckets }: Series) {
  const count = buckets.reduce((total, each) => total + each, 0);
  return { count, sum, buckets: { boundaries: [...bounds], counts: [...buckets] } };
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}
