// What operators can make of a queue while it runs, as clients of the gateway see it.

import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AdminService } from "@usher/protocol/admin";
import { QueueMode } from "@usher/protocol/queue";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Gate, type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";

let service: Service;
let usher: Usher;

afterEach(async () => {
  await usher?.stop();
  await service?.stop();
});

/** A queue with room for one, and a service that holds every answer until the gate opens. */
async function start(): Promise<Gate> {
  const gate = new Gate();
  service = await startService(gate.answer);
  usher = await startUsher({
    config: `
services: { shop: { url: ${service.url} } }
queues: { orders: { kind: defer, limit: { max_active: 1 }, max_wait: 10m } }
routes: [{ match: POST /orders, service: shop, queue: orders, hold: 0s, timeout: 10s }]
`,
    demo: true,
  });
  return gate;
}

async function setMode(mode: QueueMode): Promise<void> {
  const transport = createConnectTransport({ baseUrl: usher.gatewayUrl, httpVersion: "1.1" });
  const admin = createClient(AdminService, transport);
  const { queue } = await admin.getQueue({ queue: "orders" });
  await admin.updateQueue({
    queue: "orders",
    settings: { mode },
    updateMask: { paths: ["mode"] },
    etag: queue?.etag ?? "",
    reason: "a test",
  });
}

function order(body: string): Promise<Response> {
  return fetch(`${usher.gatewayUrl}/orders`, { method: "POST", body });
}

async function served(...bodies: string[]): Promise<void> {
  await eventually(() => expect(service.seen.map((request) => request.body)).toEqual(bodies));
}

test("QUEUE_ALL: everybody takes a ticket, and is served in turn", async () => {
  const gate = await start();
  await setMode(QueueMode.QUEUE_ALL);
  gate.open();
  expect([(await order("a")).status, (await order("b")).status]).toEqual([202, 202]);
  await served("a", "b");
});

test("PAUSED: tickets are given out and nobody is served, until it goes on", async () => {
  const gate = await start();
  gate.open();
  await setMode(QueueMode.PAUSED);
  expect([(await order("a")).status, (await order("b")).status]).toEqual([202, 202]);
  expect(service.seen).toEqual([]);
  await setMode(QueueMode.AUTO);
  await served("a", "b");
});

test("OPEN: newcomers go straight through beyond the limit, and those who wait are served beside them", async () => {
  const gate = await start();
  const first = order("first");
  await eventually(() => expect(service.inFlight).toBe(1));
  expect((await order("waits")).status).toBe(202);
  await setMode(QueueMode.OPEN);
  const straight = [order("one"), order("two")];
  await eventually(() => expect(service.inFlight).toBe(4));
  gate.open();
  expect((await Promise.all([first, ...straight])).map((res) => res.status)).toEqual([200, 200, 200]);
  expect(service.seen.map((request) => request.body).sort()).toEqual(["first", "one", "two", "waits"]);
});

test("CLOSED: newcomers are refused, and those who wait are served", async () => {
  const gate = await start();
  const first = order("first");
  await eventually(() => expect(service.inFlight).toBe(1));
  expect((await order("waits")).status).toBe(202);
  await setMode(QueueMode.CLOSED);
  const refused = await order("late");
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ type: "urn:usher:problem:queue_closed" });
  gate.open();
  await first;
  await served("first", "waits");
});
