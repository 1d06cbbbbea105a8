// A node that is told to stop while everybody is at it: nobody's request is cut, nothing is lost, and whoever balances
// loads knows before.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { backendOf, CONNECT, callerOf, GRPC, NATIVE } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { type Answer, type Service, startService } from "../support/service.ts";
import { answered, SteadyLoad, watched } from "../support/steady-load.ts";
import { runUsher, startUsher, type Usher } from "../support/usher.ts";

const running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

function kept<T extends { stop(): Promise<unknown> }>(it: T): T {
  running.push(it);
  return it;
}

/** How long the service takes for an answer, and for each part of a long one, in ms. */
const WORK_MS = 50;

const work: Answer = async (res, { target, body }) => {
  await sleep(WORK_MS);
  if (target === "/long") {
    for (let part = 0; part < 10; part++) {
      res.write("part ");
      await sleep(WORK_MS);
    }
  }
  res.end(`done ${body}`);
};

function config(service: Service): string {
  return `
services: { shop: { url: ${service.url} } }
queues:
  wide: { kind: defer, limit: { max_active: 200 }, max_wait: 10m }
  narrow: { kind: defer, limit: { max_active: 3 }, max_wait: 10m }
  sent: { kind: defer, mode: queue_all, limit: { max_active: 3 }, max_wait: 10m }
  still: { kind: defer, mode: paused, limit: { max_active: 3 }, max_wait: 10m }
  persons: { kind: pass, mode: paused, limit: { max_active: 1 }, max_wait: 10m }
routes:
  - { match: POST /straight, service: shop, queue: wide, hold: 2s, timeout: 10s }
  - { match: GET /long, service: shop, queue: wide, hold: 2s, timeout: 10s }
  - { match: POST /held, service: shop, queue: narrow, hold: 30s, timeout: 10s }
  - { match: POST /stored, service: shop, queue: narrow, hold: 0s, timeout: 10s }
  - { match: POST /sent, service: shop, queue: sent, hold: 0s, timeout: 30s }
  - { match: POST /still, service: shop, queue: still, hold: 0s, timeout: 10s }
`;
}

function post(usher: Usher, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${usher.gatewayUrl}${path}`, { method: "POST", body: randomUUID(), headers });
}

/** Every kind of request at once; `acknowledged` grows with what was stored. */
async function load(usher: Usher, acknowledged: Map<string, string>): Promise<SteadyLoad> {
  const clients = new SteadyLoad();
  const still = await post(usher, "/still");
  await still.text();
  const place = `${usher.gatewayUrl}${still.headers.get("location")}`;
  const { token } = await backendOf(usher).issue({ queue: "persons" });
  clients.add("straight", 6, async () => answered(await post(usher, "/straight"), [200]));
  clients.add("long", 3, async () => answered(await fetch(`${usher.gatewayUrl}/long`), [200]));
  clients.add("held", 6, async () => answered(await post(usher, "/held"), [200, 202]));
  clients.add("polling", 4, async () => answered(await fetch(place, { redirect: "manual" }), [200]));
  clients.add("stored", 1, async () => {
    const key = `order ${randomUUID()}`;
    const response = await post(usher, "/stored", { "idempotency-key": key });
    if (response.status === 202) acknowledged.set(key, response.headers.get("location") ?? "");
    return answered(response, [202]);
  });
  const watching = [CONNECT, GRPC, NATIVE].map(
    (port) =>
      new Promise<void>((resolve) => {
        const headers: Record<string, string> = port.needsKey ? { "usher-api-key": usher.apiKey } : {};
        const caller = callerOf(usher, port, headers);
        clients.add(`watching by ${port.name}`, 3, () => watched(caller, token, resolve));
        clients.add(`asking by ${port.name}`, 2, async () => {
          await caller.getTicket({ token });
          return "ok";
        });
      }),
  );
  await Promise.all(watching);
  await eventually(() => {
    for (const kind of ["straight", "long", "held", "polling", "stored"])
      expect(clients.tallies.get(kind)?.ok, kind).toBeGreaterThan(5);
  });
  return clients;
}

describe("SIGTERM under load", () => {
  test("cuts nobody's request, sends everybody away in words, and loses nothing that was acknowledged", async () => {
    const service = kept(await startService(work));
    const usher = kept(await startUsher({ config: config(service), drains: true }));
    const acknowledged = new Map<string, string>();
    const clients = await load(usher, acknowledged);
    const end = await usher.kill("SIGTERM");
    await clients.over();
    expect(clients.cuts).toEqual([]);
    expect(end).toEqual({ code: 0, signal: null });
    for (const [kind, { refused }] of clients.tallies) expect(refused, kind).toBeGreaterThan(0);

    const { data, ports } = usher;
    const again = kept(await startUsher({ config: config(service), data, ports }));
    expect(acknowledged.size).toBeGreaterThan(5);
    await eventually(async () => {
      for (const location of acknowledged.values()) {
        const asked = await fetch(`${again.gatewayUrl}${location}`, { redirect: "manual" });
        await asked.arrayBuffer();
        expect(asked.status).toBe(303);
      }
    });
    const sent = service.seen.flatMap(({ headers }) => headers["idempotency-key"] ?? []);
    for (const key of acknowledged.keys()) expect(sent.filter((one) => one === key)).toHaveLength(1);
  });

  test("with a delay, is told by readiness first, and who looks at that is refused nothing at all", async () => {
    const service = kept(await startService(work));
    const usher = kept(
      await startUsher({ config: config(service), drains: true, args: ["--drain-delay", "3s"] }),
    );
    const clients = await load(usher, new Map());
    const ended = usher.kill("SIGTERM");
    const ready = async () => {
      const answer = await fetch(`${usher.gatewayUrl}/readyz`);
      await answer.arrayBuffer();
      return answer;
    };
    await eventually(async () => expect((await ready()).status).toBe(503));
    // As before, on a new connection, which ends with the answer.
    const straight = await post(usher, "/straight");
    expect([straight.status, straight.headers.get("connection")]).toEqual([200, "close"]);
    expect((await backendOf(usher).issue({ queue: "persons" })).status?.ticket?.number).toBe(2);
    const alive = await fetch(`${usher.gatewayUrl}/livez`);
    expect([alive.status, await alive.text()]).toEqual([200, "ok\n"]);
    await clients.stop();
    expect(clients.cuts).toEqual([]);
    for (const kind of ["straight", "long", "held", "polling", "stored"])
      expect(clients.tallies.get(kind)?.refused, kind).toBe(0);
    expect(await ended).toEqual({ code: 0, signal: null });
  });

  test("waits no longer than the grace, and tells the log at once what it broke off", async () => {
    const service = kept(await startService(() => new Promise(() => {})));
    const usher = kept(
      await startUsher({ config: config(service), drains: true, args: ["--grace", "500ms"] }),
    );
    const straight = post(usher, "/straight").then(
      () => "answered",
      () => "cut",
    );
    const stored = await post(usher, "/sent");
    await stored.text();
    expect(stored.status).toBe(202);
    await eventually(() => expect(service.inFlight).toBe(2));
    expect(await usher.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(await straight).toBe("cut");

    const { data, ports } = usher;
    const again = kept(await startUsher({ config: config(service), data, ports }));
    const place = `${again.gatewayUrl}${stored.headers.get("location")}`;
    const asked = await fetch(`${place}/response`);
    expect([asked.status, await asked.json()]).toMatchObject([
      504,
      { type: "urn:usher:problem:request_unknown" },
    ]);
    const log = await runUsher([
      ...["log", "tail", "-n", "1000", "--queue", "sent", "--json"],
      ...["--url", again.gatewayUrl, "--key", again.apiKey],
    ]);
    const events = log.stdout.trimEnd().split("\n");
    expect(events.map((line) => JSON.parse(line).event)).toMatchObject([
      { kind: "queue_configured" },
      { kind: "ticket_issued" },
      { kind: "dispatch_claimed" },
      { kind: "claim_released", reason: "lost" },
    ]);
  });
});
