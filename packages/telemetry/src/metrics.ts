// The metrics, as Prometheus reads them: the readings by OpenTelemetry's instruments, which are read when somebody asks
// and cost nothing otherwise, and beside them what was tallied.

import type { ServerResponse } from "node:http";
import type { Meter, Observable } from "@opentelemetry/api";
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
  // Here, so that who only counts does not load what only a scraper needs.
  const [{ PrometheusExporter, PrometheusSerializer }, { MeterProvider }, { tallyMetrics }] =
    await Promise.all([
      import("@opentelemetry/exporter-prometheus"),
      import("@opentelemetry/sdk-metrics"),
      import("./tally-metrics.ts"),
    ]);
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const provider = new MeterProvider({ readers: [exporter] });
  observe(provider.getMeter("usher"), read);
  const text = async (): Promise<string> => {
    const { resourceMetrics } = await exporter.collect();
    const tallies = { scope: { name: "usher" }, metrics: tallyMetrics() };
    return serializer.serialize({
      ...resourceMetrics,
      scopeMetrics: [...resourceMetrics.scopeMetrics, tallies],
    });
  };
  const endpoint = await Endpoint.open({ host, port, answer: (_, response) => void answer(response, text) });
  return {
    url: endpoint.url,
    port: endpoint.port,
    async close() {
      await endpoint.close();
      await provider.shutdown();
    },
  };
}

async function answer(response: ServerResponse, text: () => Promise<string>): Promise<void> {
  try {
    const body = await text();
    response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" });
    response.end(body);
  } catch (error) {
    response.writeHead(500, { "Content-Type": "text/plain; charset=utf-8" });
    response.end(`metrics cannot be read: ${error instanceof Error ? error.message : error}\n`);
  }
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
