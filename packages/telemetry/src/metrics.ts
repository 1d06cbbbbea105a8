// The readings as OpenTelemetry's instruments, which are read when somebody asks, and cost nothing otherwise.

import type { Meter, Observable } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { Endpoint } from "./endpoint.ts";
import { METRICS, type Metric } from "./names.ts";
import type { Readings } from "./readings.ts";

export interface MetricsOptions {
  /** What to listen on; `127.0.0.1`, this machine alone: metrics need no key. */
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
  /** Reads the node, each time that somebody asks. Must not throw. */
  readonly read: () => Readings;
}

export interface Metrics {
  /** Where they are: `http://127.0.0.1:8081/metrics`. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Serves the metrics. Rejects with an `EndpointError` where the port cannot be had. */
export async function startMetrics({ host = "127.0.0.1", port, read }: MetricsOptions): Promise<Metrics> {
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    withoutTargetInfo: true,
  });
  const provider = new MeterProvider({ readers: [exporter] });
  observe(provider.getMeter("usher"), read);
  const endpoint = await Endpoint.open({
    host,
    port,
    answer: (request, response) => exporter.getMetricsRequestHandler(request, response),
  });
  return {
    url: endpoint.url,
    port: endpoint.port,
    async close() {
      await endpoint.close();
      await provider.shutdown();
    },
  };
}

function observe(meter: Meter, read: () => Readings): void {
  const instruments = new Map<Observable, Metric>();
  for (const [name, metric] of Object.entries(METRICS)) {
    const options = { description: metric.meaning };
    instruments.set(
      metric.kind === "gauge"
        ? meter.createObservableGauge(name, options)
        : meter.createObservableCounter(name, options),
      metric,
    );
  }
  // In one go, so that all that is told together was true together.
  meter.addBatchObservableCallback(
    (result) => {
      const readings = read();
      for (const [instrument, metric] of instruments)
        for (const { value, attributes } of metric.read(readings))
          result.observe(instrument, value, attributes);
    },
    [...instruments.keys()],
  );
}
