// The metrics, as a scraper gets them.

import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { EndpointError, METRICS, type Metrics, type Readings, startMetrics } from "../src/index.ts";

const open: Metrics[] = [];
afterEach(async () => {
  for (const metrics of open.splice(0)) await metrics.close();
});

const READINGS: Readings = {
  node: "ann",
  version: "1.2.3",
  ready: true,
  keepsTime: true,
  term: 3,
  logTime_ms: 61_500,
  log: "current",
  lag_ms: 250,
  asOf: 812,
  records: { folded: 800, ignored: 10, skipped: 2 },
  queues: [
    { name: "orders", waiting: 5, active: 2, admissions: 40 },
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

describe("a scraper", () => {
  it("reads every number of the node, under the names that are listed, and nothing else", async () => {
    const text = await scrape(await start());
    expect(samples(text)).toEqual({
      'usher_node_info{node="ann",version="1.2.3"}': 1,
      usher_node_ready: 1,
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
      'usher_queue_waiting{queue="orders"}': 5,
      'usher_queue_waiting{queue="tours"}': 0,
      'usher_queue_active{queue="orders"}': 2,
      'usher_queue_active{queue="tours"}': 0,
      'usher_queue_admissions_total{queue="orders"}': 40,
      'usher_queue_admissions_total{queue="tours"}': 0,
    });
    for (const [name, { kind, meaning }] of Object.entries(METRICS)) {
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
