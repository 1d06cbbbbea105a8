// What operators can make of a queue while it runs, as clients of the gateway see it.

import { QueueMode } from "@usher/protocol/queue";
import { afterEach, describe, expect, test } from "vitest";
import { adminOf, CONNECT, callerOf, GRPC, NATIVE, refusalOf } from "../support/callers.ts";
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
queues:
  orders: { kind: defer, limit: { max_active: 1 }, max_wait: 10m }
  sale: { kind: pass, limit: { max_active: 1 }, max_wait: 10m }
routes: [{ match: POST /orders, service: shop, queue: orders, hold: 0s, timeout: 10s }]
`,
    demo: true,
  });
  return gate;
}

type Change = Parameters<ReturnType<typeof adminOf>["updateQueue"]>[0]["settings"];

async function change(path: string, settings: Change, queue = "orders"): Promise<void> {
  const client = adminOf(usher);
  const { queue: before } = await client.getQueue({ queue });
  const updateMask = { paths: [path] };
  await client.updateQueue({ queue, settings, updateMask, etag: before?.etag ?? "", reason: "a test" });
}

async function setMode(mode: QueueMode, queue?: string): Promise<void> {
  await change("mode", { mode }, queue);
}

function order(body: string): Promise<Response> {
  return fetch(`${usher.gatewayUrl}/orders`, { method: "POST", body });
}

async function served(...bodies: string[]): Promise<void> {
  await eventually(() => expect(service.seen.map((request) => request.body)).toEqual(bodies));
}

test("AUTO: straight through while there is room and nobody waits, else in turn, and straight through again", async () => {
  const gate = await start();
  const first = order("first");
  await eventually(() => expect(service.inFlight).toBe(1));
  expect([(await order("second")).status, (await order("third")).status]).toEqual([202, 202]);
  gate.open();
  expect((await first).status).toBe(200);
  await served("first", "second", "third");
  await eventually(async () => {
    const late = await order("late");
    expect([late.status, late.headers.get("usher-ticket")]).toEqual([200, null]);
  });
});

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

describe("a limit that is changed while people wait", () => {
  test("upwards lets the next go at once, and downwards drives nobody out and lets nobody go until there is room", async () => {
    const gate = await start();
    const first = order("first");
    await eventually(() => expect(service.inFlight).toBe(1));
    for (const body of ["a", "b", "c", "d"]) expect((await order(body)).status).toBe(202);
    await change("limit.max_active", { limit: { maxActive: 3 } });
    await eventually(() => expect(service.inFlight).toBe(3));
    await change("limit.max_active", { limit: { maxActive: 1 } });
    expect(service.inFlight).toBe(3);
    gate.release();
    expect((await first).status).toBe(200);
    gate.release();
    await eventually(() => expect(service.inFlight).toBe(1));
    expect(service.seen.map(({ body }) => body)).toEqual(["first", "a", "b"]);
    gate.open();
    await served("first", "a", "b", "c", "d");
    expect(service.mostInFlight).toBe(3);
  });
});

describe("a notice", () => {
  const NOTICE = "The doors open at ten. 문은 10시에 열립니다.";

  test("alone, without anything else happening, is told to all who watch, whatever they watch by, and to who asks", async () => {
    await start();
    await setMode(QueueMode.PAUSED);
    await setMode(QueueMode.PAUSED, "sale");
    const waiting = await order("waits");
    const { token } = await callerOf(usher, CONNECT).issue({ queue: "sale" });
    const hangUp = new AbortController();
    const streams = [CONNECT, GRPC, NATIVE].map((port) =>
      callerOf(usher, port).watchPosition({ token }, { signal: hangUp.signal })[Symbol.asyncIterator](),
    );
    const noticeOf = async (stream: (typeof streams)[number]) => (await stream.next()).value?.status?.notice;
    expect(await Promise.all(streams.map(noticeOf))).toEqual(["", "", ""]);
    const told = streams.map(noticeOf);
    await change("notice", { notice: NOTICE }, "sale");
    expect(await Promise.all(told)).toEqual([NOTICE, NOTICE, NOTICE]);
    hangUp.abort();

    await change("notice", { notice: NOTICE });
    const asked = await fetch(new URL(waiting.headers.get("location") ?? "", usher.gatewayUrl));
    expect(await asked.json()).toMatchObject({ notice: NOTICE, ticket: { position: 1 } });
    await change("notice", { notice: "" });
    const later = await fetch(new URL(waiting.headers.get("location") ?? "", usher.gatewayUrl));
    expect(await later.json()).not.toHaveProperty("notice");
  });
});

describe("a pass queue, by RPC", () => {
  test("PAUSED admits nobody, AUTO goes on in turn, and CLOSED refuses newcomers and serves those who wait", async () => {
    await start();
    const caller = callerOf(usher, CONNECT);
    const issue = async () => caller.issue({ queue: "sale" });
    const positions = async (tokens: string[]) =>
      Promise.all(tokens.map(async (token) => (await caller.getTicket({ token })).status?.ticket?.position));
    await setMode(QueueMode.PAUSED, "sale");
    const [one, two, three] = [await issue(), await issue(), await issue()];
    const tokens = [one, two, three].map(({ token }) => token);
    expect(await positions(tokens)).toEqual([1, 2, 3]);
    await setMode(QueueMode.AUTO, "sale");
    await eventually(async () => expect(await positions(tokens)).toEqual([0, 1, 2]));
    await setMode(QueueMode.CLOSED, "sale");
    expect(await refusalOf(issue())).toMatchObject({ code: "FailedPrecondition", reason: "QUEUE_CLOSED" });
    await caller.complete({ ticketId: one.status?.ticket?.id ?? "" });
    await eventually(async () => expect(await positions(tokens)).toEqual([undefined, 0, 1]));
    await setMode(QueueMode.QUEUE_ALL, "sale");
    expect((await issue()).status?.ticket?.position).toBe(2);
  });

  test("OPEN has tickets by RPC wait at the limit as before: nobody is in front of the service whom they could pass", async () => {
    await start();
    const caller = callerOf(usher, CONNECT);
    const issue = async () => (await caller.issue({ queue: "sale" })).status?.ticket;
    const [first, second] = [await issue(), await issue()];
    expect([first?.position, second?.position]).toEqual([0, 1]);
    await setMode(QueueMode.OPEN, "sale");
    expect((await issue())?.position).toBe(2);
    await caller.complete({ ticketId: first?.id ?? "" });
    const { queue } = await caller.getQueue({ queue: "sale" });
    expect([queue?.mode, queue?.waiting, queue?.nowServing]).toEqual([QueueMode.OPEN, 1, 2]);
  });
});
