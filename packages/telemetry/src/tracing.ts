// Traces, by OpenTelemetry's SDK and its standard variables (opentelemetry.io/docs/specs/otel/configuration/
// sdk-environment-variables). Without them nothing is loaded, every span is the API's empty one, and what is asked
// before a span is made is one boolean.

import { DiagLogLevel, diag } from "@opentelemetry/api";

/** What the spans are a service's of, unless the operator says otherwise. */
const SERVICE_NAME = "usher";

/** What is found out of the machine: its name, and an id of this run. Not the process, whose detector tells its owner
 * and its whole command line. */
const DETECTORS = "service,host";

/** How long the last spans may take to be exported when the node stops, in milliseconds; three seconds. A collector
 * that is away must not hold up a deployment. */
const SHUTDOWN_MS = 3_000;

export interface TracingOptions {
  /** Usher's version. */
  readonly version: string;
  /** Told of what goes wrong with exporting, in words. */
  readonly onFault: (error: Error) => void;
}

export interface Tracing {
  /** Exports what is still here, for as long as that may take. */
  close(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

let on = false;

/** Whether spans are made: asked on hot paths, so that nothing is prepared for spans that nobody wants. */
export function isTracing(): boolean {
  return on;
}

/** Whether the variables ask for traces: an exporter is named, or an endpoint is. */
export function wantsTraces(env: Environment): boolean {
  const value = (name: string): string => env[name]?.trim() ?? "";
  if (value("OTEL_SDK_DISABLED").toLowerCase() === "true") return false;
  if (value("OTEL_CONFIG_FILE") !== "") return true;
  const exporters = value("OTEL_TRACES_EXPORTER");
  if (exporters !== "") return !exporters.split(",").every((name) => ["", "none"].includes(name.trim()));
  return [value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), value("OTEL_EXPORTER_OTLP_ENDPOINT")].some(
    (endpoint) => endpoint !== "",
  );
}

/** Starts tracing if the environment asks for it; absent where it does not. Once a process. */
export async function startTracing({ version, onFault }: TracingOptions): Promise<Tracing | undefined> {
  if (!wantsTraces(process.env)) return undefined;
  process.env.OTEL_NODE_RESOURCE_DETECTORS ||= DETECTORS;
  const { startNodeSdk } = await import("@opentelemetry/sdk-node");
  const sdk = startNodeSdk({
    resourceAttributes: { ...ownName(process.env), "service.version": version },
    // The metrics have a port of their own, and the log is standard error.
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
  });
  reportTo(onFault);
  on = true;
  return {
    async close() {
      on = false;
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, SHUTDOWN_MS);
      });
      const done = sdk
        .shutdown()
        .catch((error: unknown) => onFault(error instanceof Error ? error : new Error(String(error))));
      await Promise.race([done, patience]);
      clearTimeout(timer);
    },
  };
}

function ownName(env: Environment): { "service.name"?: string } {
  const named = env.OTEL_SERVICE_NAME || /(^|,)\s*service\.name=/.test(env.OTEL_RESOURCE_ATTRIBUTES ?? "");
  return named ? {} : { "service.name": SERVICE_NAME };
}

/** The SDK would write to the console, past the server's own log. */
function reportTo(onFault: (error: Error) => void): void {
  const tell = (message: string, ...more: unknown[]): void =>
    onFault(new Error(`traces: ${[message, ...more].map(wordsOf).join(" ")}`));
  const quiet = (): void => {};
  diag.setLogger(
    { error: tell, warn: tell, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}

/** The SDK hands errors over as JSON of all that they hold: their message is enough. */
function wordsOf(part: unknown): string {
  if (part instanceof Error) return part.message;
  const text = String(part);
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && "message" in parsed) return String(parsed.message);
  } catch {
    // Plain words.
  }
  return text;
}
