// What decides whether there are traces, and what carries them from one process to the next.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import {
  headersOf,
  spanContextOf,
  type TraceHeaders,
  ticketClaimed,
  ticketForgotten,
  ticketIssued,
  ticketTrace,
  wantsTraces,
} from "../src/index.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318" };

test.each([
  ["nothing is said", {}, false],
  ["an endpoint is named", ENDPOINT, true],
  ["one for traces is", { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://localhost:4318/v1/traces" }, true],
  ["one is named without a word", { OTEL_EXPORTER_OTLP_ENDPOINT: " " }, false],
  ["an exporter is", { OTEL_TRACES_EXPORTER: "console" }, true],
  ["the exporter is none", { ...ENDPOINT, OTEL_TRACES_EXPORTER: "none" }, false],
  ["a file says it all", { OTEL_CONFIG_FILE: "otel.yaml" }, true],
  ["the SDK is disabled", { ...ENDPOINT, OTEL_SDK_DISABLED: "TRUE" }, false],
  ["another signal has an endpoint", { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://localhost:4318" }, false],
])("where %s, traces are wanted: %o %s", (_, env, wanted) => {
  expect(wantsTraces(env)).toBe(wanted);
});

/** Starts tracing in a process of its own, with these variables, and tells which packages it loaded. */
async function loadedBy(env: Record<string, string>): Promise<string[]> {
  const program = `
    import { registerHooks } from "node:module";
    const loaded = new Set();
    registerHooks({
      resolve(specifier, context, next) {
        loaded.add(specifier);
        return next(specifier, context);
      },
    });
    const { startTracing } = await import(${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)});
    const tracing = await startTracing({ version: "1.2.3", onFault: () => {} });
    await tracing?.close();
    console.log(JSON.stringify([...loaded].filter((name) => name.startsWith("@opentelemetry/"))));
  `;
  const options = { env: { ...process.env, NODE_OPTIONS: "", ...env } };
  const args = ["--input-type=module", "--eval", program];
  return JSON.parse((await promisify(execFile)(process.execPath, args, options)).stdout);
}

test("where traces are not wanted, nothing of the SDK is loaded", async () => {
  expect(await loadedBy({})).toEqual(["@opentelemetry/api"]);
  expect(await loadedBy({ ...ENDPOINT, OTEL_SDK_DISABLED: "true" })).toEqual(["@opentelemetry/api"]);
  expect(await loadedBy(ENDPOINT)).toContain("@opentelemetry/sdk-node");
});

const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test("what a record carries leads back to where it came from", () => {
  const carried: TraceHeaders[] = [
    { traceparent: TRACEPARENT },
    { traceparent: TRACEPARENT, tracestate: "shop=1,b=2" },
  ];
  for (const headers of carried) {
    const context = spanContextOf(headers);
    expect(context).toMatchObject({ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", isRemote: true });
    expect(context && headersOf(context)).toEqual(headers);
  }
});

test.each([
  ["nothing", undefined],
  ["no header of that name", { b3: "1" }],
  ["zeros", { traceparent: "00-00000000000000000000000000000000-0000000000000000-01" }],
  ["too little", { traceparent: "00-4bf92f35-00f067aa-01" }],
  ["something after it", { traceparent: `${TRACEPARENT}-x` }],
])("%s is no trace", (_, headers) => {
  expect(spanContextOf(headers)).toBeUndefined();
});

test("a ticket's trace is known until the ticket is forgotten", () => {
  ticketIssued("shoes", 1, { traceparent: TRACEPARENT });
  ticketClaimed("shoes", 1, { traceparent: TRACEPARENT.replace("00f067aa", "aaaaaaaa") });
  expect(ticketTrace("shoes", 1)).toMatchObject({
    issued: { spanId: "00f067aa0ba902b7" },
    claimed: { spanId: "aaaaaaaa0ba902b7" },
  });
  ticketForgotten("shoes", 1);
  expect(ticketTrace("shoes", 1)).toBeUndefined();
});

test("a trace that nobody samples is not kept, and neither is a claim of a ticket without one", () => {
  ticketIssued("hats", 1, { traceparent: TRACEPARENT.replace(/01$/, "00") });
  ticketClaimed("hats", 1, { traceparent: TRACEPARENT });
  expect(ticketTrace("hats", 1)).toBeUndefined();
});

test("of ever more tickets, the latest ten thousand are known", () => {
  for (let number = 1; number <= 10_050; number++)
    ticketIssued("coats", number, { traceparent: TRACEPARENT });
  expect(ticketTrace("coats", 50)).toBeUndefined();
  expect(ticketTrace("coats", 51)).toBeDefined();
  expect(ticketTrace("coats", 10_050)).toBeDefined();
});
