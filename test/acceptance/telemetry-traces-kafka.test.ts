// The same trace where the log is Kafka, and the node that goes on with a request is another than the one that took it.

import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Collector, type Span, tree } from "../support/otlp.ts";
import { type Service, startService } from "../support/service.ts";
import { SharedLog } from "../support/shared-log.ts";
import { runUsher, type Usher } from "../support/usher.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

let log: SharedLog;
let service: Service;
let collector: Collector;

beforeAll(async () => {
  log = await SharedLog.start();
  service = await startService();
  collector = await Collector.start();
});

afterAll(async () => {
  await log?.close();
  await service?.stop();
  await collector?.stop();
});

function startNode(name: string): Promise<Usher> {
  return log.node(name, {
    topics: "traces",
    env: { ...collector.environment(), OTEL_SERVICE_NAME: name },
    config: `
services: { shop: { url: ${service.url} } }
queues:
  orders: { kind: defer, mode: paused, limit: { max_active: 10 }, max_wait: 30m }
routes:
  - { match: POST /orders, service: shop, queue: orders, hold: 0s, timeout: 5s }
`,
  });
}

/** The trace, with the node that exported each span. */
function traced(): string[] {
  const spans = collector.trace(TRACE_ID);
  return tree(spans.map((span) => ({ ...span, name: `${span.name} by ${nodeOf(span)}` })));
}

function nodeOf({ resource }: Span): string {
  return String(resource["service.name"]);
}

test("a request that one node took, and another sends after the first has died, is one trace", async () => {
  const a = await startNode("a");
  const b = await startNode("b");
  const accepted = await fetch(`${a.gatewayUrl}/orders`, {
    method: "POST",
    body: "an order",
    headers: { traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01` },
  });
  const location = accepted.headers.get("location") ?? "";
  expect(location).toContain("/tickets/");
  await eventually(() => expect(traced()).toHaveLength(3));
  await a.stop();
  const flags = ["--url", b.gatewayUrl, "--keys", log.keys];
  const set = await runUsher(["queue", "set", "orders", "--mode", "auto", "--reason", "a test", ...flags]);
  expect(set.code, set.stderr).toBe(0);
  await eventually(async () => {
    const answer = await fetch(new URL(location, b.gatewayUrl));
    expect(answer.url).toMatch(/\/response$/);
    expect(await answer.json()).toMatchObject({ body: "an order" });
  });
  await eventually(() =>
    expect(traced()).toEqual([
      "POST /orders by a (server)",
      "  usher.decide by a (internal)",
      "  append ticket_issued by a (producer)",
      "    usher.wait by b (internal)",
      "      usher.admit by b (internal)",
      "    usher.dispatch by b (consumer)",
      "      append dispatch_claimed by b (producer)",
      "      POST by b (client)",
      "      append request_answered by b (producer)",
    ]),
  );
  const issued = collector.trace(TRACE_ID).find(({ name }) => name === "append ticket_issued");
  expect(issued?.attributes).toMatchObject({
    "messaging.system": "kafka",
    "messaging.destination.name": "traces.queues",
  });
  await eventually(() => {
    const collected = collector.spans.filter(({ name }) => name === "usher.collect");
    expect(collected.map((span) => [nodeOf(span), span.links])).toContainEqual([
      "b",
      [{ traceId: TRACE_ID, spanId: issued?.spanId }],
    ]);
  });
});
