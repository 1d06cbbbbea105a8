// The metrics of a live node, and the files that are made of their names: the dashboard, the alert rules, the page.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { eventually } from "../support/eventually.ts";
import { readPromql } from "../support/promql.ts";
import { Raw } from "../support/raw.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Goes on in another protocol with whoever asks, and ends at once. */
const switching = createServer((socket) => {
  socket.on("error", () => undefined);
  socket.once("data", () => socket.end("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n"));
});
let service: Service;
let usher: Usher;

beforeAll(async () => {
  service = await startService((res, { target }) => {
    if (target === "/orders/refused" && service.seen.filter((seen) => seen.target === target).length === 1)
      res.writeHead(503, { "retry-after": "0" });
    res.end("done");
  });
  await once(switching.listen(0, "127.0.0.1"), "listening");
  const { port } = switching.address() as AddressInfo;
  usher = await startUsher({
    config: `
services: { shop: { url: ${service.url} }, away: { url: "http://127.0.0.1:1" }, chat: { url: "http://127.0.0.1:${port}" } }
queues:
  orders: { kind: defer, mode: queue_all, limit: { max_active: 2 }, max_wait: 10m }
  stopped: { kind: defer, mode: paused, limit: { max_active: 2 }, max_wait: 10m }
routes:
  - { match: POST /orders/*, service: shop, queue: orders, hold: 0s, timeout: 10s }
  - { match: POST /stopped, service: shop, queue: stopped, hold: 0s, timeout: 10s }
  - { match: /away, service: away }
  - { match: /shop, service: shop }
  - { match: /chat, service: chat, upgrade: true }
`,
    demo: true,
  });
  for (const path of ["/orders/taken", "/orders/refused", "/stopped"])
    expect((await post(path)).status).toBe(202);
  await eventually(async () => {
    expect(await value("usher_queue_outcomes_total", 'queue="orders",outcome="answered",status="2xx"')).toBe(
      2,
    );
  });
  for (const path of ["/shop", "/away", "/nowhere"]) await (await post(path)).arrayBuffer();
  // Answered by the lane of the plainest calls, and by connect-node.
  for (const unusual of [{}, { "connect-timeout-ms": "5000" }])
    await fetch(`${usher.gatewayUrl}/usher.queue.v1.QueueService/GetTicket`, {
      method: "POST",
      body: '{"token":"none"}',
      headers: { "content-type": "application/json", ...unusual },
    });
});

afterAll(async () => {
  await usher?.stop();
  await service?.stop();
  switching.close();
});

function post(path: string): Promise<Response> {
  return fetch(`${usher.gatewayUrl}${path}`, { method: "POST", body: "x" });
}

async function scrape(): Promise<string> {
  const [, url = ""] = /metrics +(http:[^ \n]+)/.exec(usher.output()) ?? [];
  return (await fetch(url)).text();
}

async function value(name: string, labels: string): Promise<number | undefined> {
  const line = (await scrape()).split("\n").find((line) => line.startsWith(`${name}{${labels}} `));
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

/** Every metric that the node shows, with its kind; a histogram under its own name. */
async function shown(): Promise<Map<string, string>> {
  return new Map(
    [...(await scrape()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", kind = ""]) => [name, kind]),
  );
}

/** Every name that an expression may have, and every label. */
async function vocabulary(): Promise<{ series: Set<string>; labels: Set<string> }> {
  const series = new Set<string>(["up"]);
  for (const [name, kind] of await shown())
    for (const end of kind === "histogram" ? ["_bucket", "_sum", "_count"] : [""])
      series.add(`${name}${end}`);
  const labels = new Set([...(await scrape()).matchAll(/([a-z_]+)="/g)].map(([, label = ""]) => label));
  // Prometheus' own, of where it scraped.
  return { series, labels: new Set([...labels, "instance", "job"]) };
}

const EXPECTED = [
  ["usher_gateway_arrivals_total", 'queue="orders"', 2],
  ["usher_gateway_arrivals_total", 'queue="stopped"', 1],
  ["usher_gateway_arrivals_total", 'queue="none"', 3],
  ["usher_gateway_decisions_total", 'queue="orders",action="queued",reason="queue_all"', 2],
  ["usher_gateway_decisions_total", 'queue="stopped",action="queued",reason="paused"', 1],
  ["usher_gateway_refusals_total", 'reason="route_not_found"', 1],
  ["usher_gateway_refusals_total", 'reason="service_unreachable"', 1],
  [
    "usher_rpc_calls_total",
    'method="usher.queue.v1.QueueService/GetTicket",protocol="connect",code="UNAUTHENTICATED"',
    2,
  ],
  ["usher_queue_waiting", 'queue="stopped"', 1],
  ["usher_queue_admissions_total", 'queue="orders"', 2],
  ["usher_dispatch_attempts_total", 'queue="orders",result="answered"', 2],
  ["usher_dispatch_attempts_total", 'queue="orders",result="refused"', 1],
  ["usher_dispatch_retries_total", 'queue="orders"', 1],
  ["usher_service_request_seconds_count", 'service="shop",result="2xx"', 3],
  ["usher_service_request_seconds_count", 'service="shop",result="5xx"', 1],
  ["usher_service_request_seconds_count", 'service="away",result="not_connected"', 1],
  ["usher_log_append_seconds_count", 'result="issued"', 3],
] as const;

test("a connection that goes on in another protocol was answered, and its client is not gone", async () => {
  const raw = await Raw.open(usher.gatewayUrl);
  raw.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n");
  const closed = raw.closed();
  raw.socket.end();
  expect(await closed).toMatch(/^HTTP\/1\.1 101 /);
  await eventually(async () => expect(await value("usher_gateway_answers_total", 'status="1xx"')).toBe(1));
  expect(await value("usher_gateway_answers_total", 'status="gone"')).toBeUndefined();
});

describe("a live node", () => {
  test.each(EXPECTED)("counts %s{%s}: %i", async (name, labels, expected) => {
    await eventually(async () => expect(await value(name, labels)).toBe(expected));
  });

  test("tells what its data take, and its payloads", async () => {
    const text = await scrape();
    for (const name of ["usher_data_bytes", "process_resident_memory_bytes", "process_cpu_seconds_total"])
      expect(Number(new RegExp(`^${name} (.+)$`, "m").exec(text)?.[1]), name).toBeGreaterThan(0);
    expect(await value("usher_payload_written_bytes_total", 'queue="orders"')).toBeGreaterThan(0);
  });

  test("keeps to Prometheus' names: counters end in _total, and units are whole ones", async () => {
    for (const [name, kind] of await shown()) {
      expect(name).toMatch(/^[a-z]+(_[a-z]+)+$/);
      expect(name.endsWith("_total"), name).toBe(kind === "counter");
      expect(name).not.toMatch(/_(ms|milliseconds|kb|mb|minutes)(_|$)/);
    }
  });
});

describe("examples/monitoring", () => {
  test("every alert's expression is one, and names what a node shows", async () => {
    const { series, labels } = await vocabulary();
    const text = await readFile(join(ROOT, "examples/monitoring/alerts.yaml"), "utf8");
    const file = parse(text) as { groups: { rules: { alert: string; expr: string }[] }[] };
    const rules = file.groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(10);
    // Which Prometheus itself writes of every node that it asks.
    const all = new Set([...series, "up"]);
    for (const { alert, expr } of rules) expect(strange(expr, all, labels), alert).toEqual([]);
  });

  test("every panel's expression is one, and names what a node shows", async () => {
    const { series, labels } = await vocabulary();
    const text = await readFile(join(ROOT, "examples/monitoring/dashboard.json"), "utf8");
    const { panels } = JSON.parse(text) as { panels: { title: string; targets?: { expr: string }[] }[] };
    const drawn = panels.filter(({ targets }) => targets !== undefined);
    expect(drawn.length).toBeGreaterThan(10);
    for (const { title, targets = [] } of drawn)
      for (const { expr } of targets)
        expect(strange(expr.replaceAll("$__rate_interval", "1m"), series, labels), title).toEqual([]);
  });

  test("what names no metric, no label or no expression would be found", async () => {
    const { series, labels } = await vocabulary();
    expect(strange("rate(usher_queue_waitin[5m])", series, labels)).toEqual(["usher_queue_waitin"]);
    expect(strange('usher_queue_waiting{que="a"}', series, labels)).toEqual(["que"]);
    for (const wrong of [
      "sum(usher_node_ready",
      "usher_node_ready usher_node_ready",
      "rat(usher_node_ready[5m])",
      "usher_node_ready >",
    ])
      expect(() => readPromql(wrong), wrong).toThrow();
  });
});

/** What an expression names that a node does not show. */
function strange(expression: string, series: ReadonlySet<string>, labels: ReadonlySet<string>): string[] {
  const named = readPromql(expression);
  return [...named.metrics]
    .filter((name) => !series.has(name))
    .concat([...named.labels].filter((label) => !labels.has(label)));
}

test("docs/telemetry.md lists exactly the metrics that there are, with their kinds", async () => {
  const text = await readFile(join(ROOT, "docs/telemetry.md"), "utf8");
  const listed = [...text.matchAll(/^\| `([a-z_]+)` +\| (counter|gauge|histogram) +\|/gm)].map(
    ([, name = "", kind = ""]) => `${name} ${kind}`,
  );
  expect(listed.sort()).toEqual([...(await shown())].map(([name, kind]) => `${name} ${kind}`).sort());
});
