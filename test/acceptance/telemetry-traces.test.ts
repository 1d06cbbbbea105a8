// Traces, as a collector gets them: one for each request, whatever becomes of it and however long that takes.

import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { QueueService } from "@usher/protocol/queue";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Collector, type Span, tree } from "../support/otlp.ts";
import { Gate, type Service, startService } from "../support/service.ts";
import { startUsher, type Usher, type UsherOptions } from "../support/usher.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";
const TRACEPARENT = `00-${TRACE_ID}-${CALLER}-01`;

let collector: Collector;
let service: Service;
let usher: Usher;

beforeEach(async () => {
  collector = await Collector.start();
});

afterEach(async () => {
  await usher?.stop();
  await service?.stop();
  await collector?.stop();
});

function config(mode = "auto"): string {
  return `
services: { shop: { url: ${service.url} } }
queues:
  orders: { kind: defer, mode: ${mode}, limit: { max_active: 1 }, max_wait: 10m }
routes:
  - { match: POST /orders/*, service: shop, queue: orders, hold: 0s, timeout: 10s }
  - { match: /*, service: shop }
`;
}

function start(options: Partial<UsherOptions> = {}): Promise<Usher> {
  const env = options.env ?? collector.environment();
  return startUsher({ config: config(), demo: true, ...options, env });
}

function order(headers: Record<string, string> = {}): Promise<Response> {
  const { gatewayUrl } = usher;
  return fetch(`${gatewayUrl}/orders/swordfish-path?name=swordfish-query`, {
    method: "POST",
    body: "swordfish-body",
    headers: { traceparent: TRACEPARENT, ...headers },
    redirect: "manual",
  });
}

/** Asks until the service has answered. */
function collect(location: string | null): Promise<Response> {
  return eventually(async () => {
    const answer = await fetch(new URL(location ?? "", usher.gatewayUrl));
    expect(answer.url).toMatch(/\/response$/);
    return answer;
  });
}

function named(name: string): Span {
  const found = collector.spans.filter((span) => span.name === name && span.traceId === TRACE_ID);
  expect(found.map(({ name }) => name)).toEqual([name]);
  return found[0] as Span;
}

/** Resolves when the trace has these spans. */
async function shows(lines: readonly string[]): Promise<void> {
  await eventually(() => expect(tree(collector.trace(TRACE_ID))).toEqual(lines));
}

const STRAIGHT = ["POST /orders/* (server)", "  usher.decide (internal)", "  POST (client)"];

const DEFERRED = [
  "POST /orders/* (server)",
  "  usher.decide (internal)",
  "  append ticket_issued (producer)",
  "    usher.wait (internal)",
  "      usher.admit (internal)",
  "    usher.dispatch (consumer)",
  "      append dispatch_claimed (producer)",
  "      POST (client)",
  "      append request_answered (producer)",
];

describe.each(["http/protobuf", "http/json"] as const)("over %s", (protocol) => {
  test("a request that goes straight through is one trace, from its caller to the service", async () => {
    service = await startService();
    usher = await start({ env: collector.environment(protocol) });
    expect((await order()).status).toBe(200);
    await shows(STRAIGHT);
    expect(named("POST /orders/*")).toMatchObject({
      parentId: CALLER,
      attributes: {
        "http.request.method": "POST",
        "http.route": "/orders/*",
        "http.response.status_code": 200,
      },
      resource: { "service.name": "usher" },
    });
    expect(named("usher.decide").attributes).toMatchObject({
      "usher.queue.name": "orders",
      "usher.decision.action": "passed",
      "usher.decision.reason": "under_limit",
    });
    expect(service.seen[0]?.headers.traceparent).toBe(`00-${TRACE_ID}-${named("POST").spanId}-01`);
    expect(new Set(collector.exports)).toEqual(
      new Set([protocol === "http/json" ? "application/json" : "application/x-protobuf"]),
    );
  });
});

test("a request that waits is one trace as well: ticket, wait, admission, claim, the service's answer", async () => {
  const gate = new Gate();
  service = await startService(gate.answer);
  usher = await start();
  const first = order({ traceparent: "" });
  await eventually(() => expect(service.inFlight).toBe(1));
  const accepted = await order();
  expect(accepted.status).toBe(202);
  gate.open();
  await first;
  expect(await (await collect(accepted.headers.get("location"))).json()).toMatchObject({ method: "POST" });
  await shows(DEFERRED);
  expect(named("append ticket_issued").attributes).toMatchObject({
    "messaging.system": "sqlite",
    "messaging.destination.name": "usher.queues",
    "usher.outcome": "issued",
  });
  const [wait, admit, dispatch] = [named("usher.wait"), named("usher.admit"), named("usher.dispatch")];
  expect(wait.attributes).toMatchObject({ "usher.queue.name": "orders", "usher.ticket.number": 1 });
  expect(admit.start_ns).toBe(wait.end_ns);
  expect(dispatch.attributes).toMatchObject({ "usher.ticket.number": 1, "usher.attempt": 1 });
  expect(service.seen[1]?.headers.traceparent).toBe(`00-${TRACE_ID}-${named("POST").spanId}-01`);
});

test("whoever collects the answer is linked with the request that it is the answer to", async () => {
  service = await startService();
  usher = await start({ config: config("queue_all") });
  await collect((await order()).headers.get("location"));
  const issued = await eventually(() => named("append ticket_issued"));
  await eventually(() => {
    const collected = collector.spans.filter(({ name }) => name === "usher.collect");
    expect(collected.length).toBeGreaterThan(0);
    for (const { links } of collected) expect(links).toEqual([{ traceId: TRACE_ID, spanId: issued.spanId }]);
  });
  const polls = collector.spans.filter(({ name }) => name === "GET /_usher/tickets/{token}");
  expect(polls.length).toBeGreaterThan(0);
  for (const poll of polls) {
    expect(poll.traceId).not.toBe(TRACE_ID);
    expect(poll.links).toContainEqual({ traceId: TRACE_ID, spanId: issued.spanId });
  }
});

test("a request that is answered after a restart is still one trace", async () => {
  service = await startService();
  usher = await start({ config: config("paused") });
  const { data, ports } = usher;
  const accepted = await order();
  await eventually(() => named("POST /orders/*"));
  await usher.kill();
  const before = new Set(collector.spans.map(({ spanId }) => spanId));
  const killed = usher;
  usher = await start({ data, ports, args: ["--apply"] });
  expect(await (await collect(accepted.headers.get("location"))).json()).toMatchObject({ method: "POST" });
  await killed.stop();
  await shows(DEFERRED);
  expect(before.has(named("append ticket_issued").spanId)).toBe(true);
  expect(before.has(named("usher.wait").spanId)).toBe(false);
});

test("what the service refuses is sent again under a span of its own, which is linked with the one before", async () => {
  service = await startService((res) => {
    res.statusCode = service.seen.length === 1 ? 503 : 200;
    res.setHeader("retry-after", "0").end();
  });
  usher = await start({ config: config("queue_all") });
  await collect((await order()).headers.get("location"));
  const [first, second] = await eventually(() => {
    const dispatched = collector.trace(TRACE_ID).filter(({ name }) => name === "usher.dispatch");
    expect(dispatched.map(({ attributes }) => attributes["usher.attempt"])).toEqual([1, 2]);
    return dispatched;
  });
  const claim = collector.spans.find(
    ({ name, parentId }) => name === "append dispatch_claimed" && parentId === first?.spanId,
  );
  expect(first?.links).toEqual([]);
  expect(second?.links).toEqual([{ traceId: TRACE_ID, spanId: claim?.spanId }]);
});

test("an answer that its service breaks off is told as cut, and not as one whose client left", async () => {
  service = await startService((res) => {
    res.writeHead(200, { "content-length": "1000" }).write("begun", () => res.destroy());
  });
  usher = await start();
  const answer = await order();
  await expect(answer.text()).rejects.toThrow();
  await shows(STRAIGHT);
  expect(named("POST").attributes["error.type"]).toBe("lost");
  expect(named("POST /orders/*").attributes).toMatchObject({
    "http.response.status_code": 200,
    "error.type": "cut",
  });
});

test("who waits for a pass is one trace until the admission, and comes back in another, which is linked", async () => {
  service = await startService();
  usher = await start({
    config: `
services: { shop: { url: ${service.url} } }
queues:
  sale: { kind: pass, limit: { max_active: 1 }, max_wait: 10m }
routes:
  - { match: /checkout/*, service: shop, queue: sale }
`,
  });
  const checkout = `${usher.gatewayUrl}/checkout/seats`;
  expect((await fetch(checkout)).status).toBe(200);
  const headers = { traceparent: TRACEPARENT };
  const told = await fetch(checkout, { headers });
  expect(told.status).toBe(429);
  const cookie = told.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  await shows(["GET /checkout/* (server)", "  append ticket_issued (producer)", "  usher.decide (internal)"]);
  await complete(1);
  await shows([
    "GET /checkout/* (server)",
    "  append ticket_issued (producer)",
    "    usher.wait (internal)",
    "      usher.admit (internal)",
    "  usher.decide (internal)",
  ]);
  expect(named("usher.decide").attributes).toMatchObject({ "usher.decision.action": "queued" });
  expect((await fetch(checkout, { headers: { cookie } })).status).toBe(200);
  await eventually(() => {
    const link = { traceId: TRACE_ID, spanId: named("append ticket_issued").spanId };
    const back = collector.spans.filter(({ links }) => links.some(({ spanId }) => spanId === link.spanId));
    expect(back.map(({ name, links }) => ({ name, links }))).toEqual([
      { name: "GET /checkout/*", links: [link] },
    ]);
    const called = collector.spans.find(
      ({ name, parentId }) => name === "GET" && parentId === back[0]?.spanId,
    );
    expect(service.seen[1]?.headers.traceparent).toBe(`00-${back[0]?.traceId}-${called?.spanId}-01`);
  });
});

/** Ends an admitted ticket, as a backend does. */
async function complete(number: number): Promise<void> {
  const client = createClient(
    QueueService,
    createConnectTransport({ baseUrl: usher.gatewayUrl, httpVersion: "1.1" }),
  );
  const { status } = await client.issue({ queue: "sale" });
  const ticketId = status?.ticket?.id.replace(/\d+$/, `${number}`);
  await client.complete({ ticketId });
}

test("a trace that its caller does not sample is handed on, and not exported", async () => {
  service = await startService();
  usher = await start({ config: config("queue_all") });
  const unsampled = `00-${TRACE_ID}-${CALLER}-00`;
  await collect((await order({ traceparent: unsampled })).headers.get("location"));
  expect(service.seen[0]?.headers.traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-00$`));
  await usher.stop();
  expect(collector.trace(TRACE_ID)).toEqual([]);
});

test("what is exported holds no token, key, cookie, credential, body, or part of a target", async () => {
  service = await startService();
  usher = await start({ config: config("queue_all") });
  const secrets = {
    authorization: "Bearer swordfish-authorization",
    cookie: "session=swordfish-cookie",
    "idempotency-key": "swordfish-idempotency-key-0001",
    baggage: "user=swordfish-baggage",
    "user-agent": "swordfish-agent",
    "usher-api-key": usher.apiKey,
  };
  const accepted = await order(secrets);
  const location = accepted.headers.get("location") ?? "";
  await collect(location);
  await eventually(() => named("append request_answered"));
  await usher.stop();
  const exported = collector.raw.join("\n");
  expect(exported).toContain("append request_answered");
  const token = /tickets\/(.+)$/.exec(location)?.[1] ?? "no token";
  for (const secret of ["swordfish", usher.apiKey, token])
    expect(exported.includes(secret), secret).toBe(false);
});

describe("without the variables", () => {
  test("a trace is handed on as it came", async () => {
    service = await startService();
    usher = await start({ env: {} });
    await order({ tracestate: "shop=1" });
    expect(service.seen[0]?.headers).toMatchObject({ traceparent: TRACEPARENT, tracestate: "shop=1" });
  });

  test.each([
    ["none", { OTEL_TRACES_EXPORTER: "none" }],
    ["no SDK", { OTEL_SDK_DISABLED: "true" }],
  ])("or with %s wanted, nothing is exported", async (_, env) => {
    service = await startService();
    usher = await start({ env: { ...collector.environment(), ...env } });
    expect((await order()).status).toBe(200);
    await usher.stop();
    expect(collector.exports).toEqual([]);
  });
});

test("a collector that is away harms no request, and is said, now and then", async () => {
  service = await startService();
  const env = collector.environment();
  await collector.stop();
  usher = await start({ env: { ...env, OTEL_EXPORTER_OTLP_TIMEOUT: "200" } });
  expect((await order()).status).toBe(200);
  await eventually(() => expect(usher.output()).toMatch(/^usher: traces: /m));
  expect((await order()).status).toBe(200);
});
