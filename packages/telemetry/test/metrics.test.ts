// The metrics, as a scraper gets them.

import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import {
  count,
  EndpointError,
  METRICS,
  type Metrics,
  measure,
  type Readings,
  startMetrics,
  TALLIES,
} from "../src/index.ts";

const open: Metrics[] = [];
afterEach(async () => {
  for (const metrics of open.splice(0)) await metrics.close();
});

const READINGS: Readings = {
  node: "ann",
  version: "1.2.3",
  ready: true,
  streams: 12,
  keepsTime: true,
  term: 3,
  logTime_ms: 61_500,
  log: "current",
  lag_ms: 250,
  asOf: 812,
  records: { folded: 800, ignored: 10, skipped: 2 },
  data_bytes: 4_096,
  process: {
    ...{ resident_bytes: 1_000, heap_bytes: 500, cpu_s: 1.5, started_s: 1_700_000_000 },
    loopDelay_s: { "0.5": 0.001, "0.99": 0.02, "1": 0.3 },
  },
  queues: [
    { name: "orders", waiting: 5, oldestWait_ms: 1_500, active: 2, admissions: 40 },
    { name: "tours", waiting: 0, active: 0, admissions: 0 },
  ],
};

async function start(read: () => Readings = () => READINGS, port = 0): Promise<Metrics> {
  const metrics = await startMetrics({ port, read });
  open.push(metrics);
  return metrics;
}

async function scrape({ url }: Metrics): Promise<string> {
  const answer = await fetch(url);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toMatch(/^text\/plain/);
  return answer.text();
}

/** Every sample: its name with labels, and its value. */
function samples(text: string): Record<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(lines.map((line) => [line.replace(/ [^ ]+$/, ""), Number(/[^ ]+$/.exec(line))]));
}

/** Whether it was counted as it happened, and not read of the node. */
function isTallied(sample: string): boolean {
  return Object.keys(TALLIES).some((name) => sample.startsWith(name.replaceAll(".", "_")));
}

describe("a scraper", () => {
  it("reads every number of the node, under the names that are listed, and nothing else", async () => {
    const text = await scrape(await start());
    const read = Object.entries(samples(text)).filter(([name]) => !isTallied(name));
    expect(Object.fromEntries(read)).toEqual({
      'usher_node_info{node="ann",version="1.2.3"}': 1,
      usher_node_ready: 1,
      usher_node_streams: 12,
      usher_timekeeper_own: 1,
      usher_timekeeper_term: 3,
      usher_log_time_seconds: 61.5,
      usher_log_lag_seconds: 0.25,
      usher_log_as_of: 812,
      'usher_log_state{state="current"}': 1,
      'usher_log_state{state="stale"}': 0,
      'usher_log_state{state="halted"}': 0,
      'usher_log_records_total{outcome="folded"}': 800,
      'usher_log_records_total{outcome="ignored"}': 10,
      'usher_log_records_total{outcome="skipped"}': 2,
      usher_data_bytes: 4_096,
      'usher_queue_waiting{queue="orders"}': 5,
      'usher_queue_waiting{queue="tours"}': 0,
      'usher_queue_oldest_wait_seconds{queue="orders"}': 1.5,
      'usher_queue_oldest_wait_seconds{queue="tours"}': 0,
      'usher_queue_active{queue="orders"}': 2,
      'usher_queue_active{queue="tours"}': 0,
      'usher_queue_admissions_total{queue="orders"}': 40,
      'usher_queue_admissions_total{queue="tours"}': 0,
      'usher_event_loop_delay_seconds{quantile="0.5"}': 0.001,
      'usher_event_loop_delay_seconds{quantile="0.99"}': 0.02,
      'usher_event_loop_delay_seconds{quantile="1"}': 0.3,
      process_resident_memory_bytes: 1_000,
      process_heap_bytes: 500,
      process_cpu_seconds_total: 1.5,
      process_start_time_seconds: 1_700_000_000,
    });
    for (const [name, { kind, meaning }] of Object.entries({ ...METRICS, ...TALLIES })) {
      const shown = name.replaceAll(".", "_") + (kind === "counter" ? "_total" : "");
      expect(text).toContain(`# HELP ${shown} ${meaning}\n`);
      expect(text).toContain(`# TYPE ${shown} ${kind}\n`);
    }
  });

  it("reads the node anew each time, and sees what has changed", async () => {
    let readings = READINGS;
    const metrics = await start(() => readings);
    expect(samples(await scrape(metrics))).toMatchObject({
      usher_node_ready: 1,
      usher_log_lag_seconds: 0.25,
    });
    readings = {
      ...READINGS,
      ready: false,
      keepsTime: false,
      log: "halted",
      lag_ms: Number.POSITIVE_INFINITY,
    };
    const text = await scrape(metrics);
    expect(text).toContain("\nusher_log_lag_seconds +Inf\n");
    expect(samples(text)).toMatchObject({
      usher_node_ready: 0,
      usher_timekeeper_own: 0,
      'usher_log_state{state="current"}': 0,
      'usher_log_state{state="halted"}': 1,
    });
  });

  it("gets a thousand queues", async () => {
    const queues = Array.from({ length: 1_000 }, (_, n) => ({
      ...{ name: `q${n}`, waiting: n, active: 1, admissions: 2 },
    }));
    const read = samples(await scrape(await start(() => ({ ...READINGS, queues }))));
    for (const { name, waiting } of queues)
      expect(read[`usher_queue_waiting{queue="${name}"}`]).toBe(waiting);
  });

  it("is told where metrics are, and that there is nothing to send", async () => {
    const { url } = await start();
    expect((await fetch(new URL("/", url))).status).toBe(404);
    expect((await fetch(url, { method: "POST", body: "x" })).status).toBe(405);
    expect((await fetch(`${url}?name[]=x`)).status).toBe(200);
  });
});

describe("what is counted as it happens", () => {
  it("adds up by its labels", async () => {
    const metrics = await start();
    const seen = 'usher_gateway_decisions_total{queue="shoes",action="queued",reason="over_room"}';
    count("usher.gateway.decisions", ["shoes", "queued", "over_room"]);
    count("usher.gateway.decisions", ["shoes", "queued", "over_room"], 2);
    count("usher.gateway.decisions", ["shoes", "passed", "under_limit"]);
    expect(samples(await scrape(metrics))[seen]).toBe(3);
  });

  it("falls into the buckets of a histogram, each of which holds those below it, too", async () => {
    const metrics = await start();
    for (const seconds of [0.0004, 0.001, 0.002, 99])
      measure("usher.log.append_seconds", ["tested"], seconds);
    const read = samples(await scrape(metrics));
    const bucket = (le: string) => read[`usher_log_append_seconds_bucket{result="tested",le="${le}"}`];
    expect([bucket("0.001"), bucket("0.0025"), bucket("10"), bucket("+Inf")]).toEqual([2, 3, 3, 4]);
    expect(read['usher_log_append_seconds_count{result="tested"}']).toBe(4);
    expect(read['usher_log_append_seconds_sum{result="tested"}']).toBeCloseTo(99.0034);
  });

  it("is kept for so many combinations of labels, and for all others together", async () => {
    const metrics = await start();
    for (let n = 0; n < 1_500; n++) count("usher.gateway.arrivals", [`flood${n}`]);
    const read = Object.entries(samples(await scrape(metrics))).filter(([name]) =>
      name.startsWith("usher_gateway_arrivals_total"),
    );
    expect(read).toHaveLength(1_001);
    expect(read.reduce((sum, [, value]) => sum + value, 0)).toBe(1_500);
    expect(read.find(([name]) => name.includes('"other"'))?.[1]).toBe(500);
  });
});

describe("the endpoint", () => {
  it("is on this machine alone unless it is told otherwise", async () => {
    const { url, port } = await start();
    expect(url).toBe(`http://127.0.0.1:${port}/metrics`);
  });

  it("says which port cannot be had, and why", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const refused = start(undefined, port);
    await expect(refused).rejects.toBeInstanceOf(EndpointError);
    await expect(refused).rejects.toThrow(
      `cannot listen on 127.0.0.1 port ${port} for metrics: it is in use`,
    );
    server.close();
  });

  it("closes at once, whoever holds a connection, and gives its port back", async () => {
    const { port, close } = await startMetrics({ port: 0, read: () => READINGS });
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    const gone = new Promise((resolve) => socket.once("close", resolve));
    await close();
    await gone;
    await start(undefined, port);
  });

  it("has a bounded number of connections: one more is closed, and the others are answered", async () => {
    const metrics = await start();
    const sockets = Array.from({ length: 17 }, () => connect(metrics.port, "127.0.0.1"));
    for (const socket of sockets) socket.on("error", () => {});
    const closed = await Promise.race(sockets.map((socket) => new Promise((r) => socket.once("close", r))));
    expect(closed).toBe(false);
    for (const socket of sockets.slice(0, 2)) socket.destroy();
    await expect.poll(() => scrape(metrics).catch(() => "")).toContain("usher_node_ready 1");
    for (const socket of sockets) socket.destroy();
  });
});
