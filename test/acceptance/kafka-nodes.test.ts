// Two nodes on one Kafka: whichever of them a client talks to, it is one queue; and what they do without Kafka.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { TicketState } from "@usher/protocol/queue";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminOf, backendOf, CONNECT, callerOf, NATIVE, refusalOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { type Service, startService } from "../support/service.ts";
import { SharedLog } from "../support/shared-log.ts";
import type { Usher } from "../support/usher.ts";

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

let log: SharedLog;
let service: Service;

beforeAll(async () => {
  log = await SharedLog.start();
  service = await startService((res, { headers }) => {
    res.end(`answer to ticket ${headers["usher-ticket"] ?? "none"}`);
  });
});
afterAll(async () => {
  await log?.close();
  await service?.stop();
});

function startNode(on: SharedLog, name: string): Promise<Usher> {
  return on.node(name, {
    config: `
services: { shop: { url: ${service.url} } }
queues:
  orders: { kind: defer, mode: queue_all, limit: { max_active: 10 }, max_wait: 30m }
  straight: { kind: defer, limit: { max_active: 10 }, max_wait: 30m }
  sale: { kind: pass, limit: { max_active: 1 }, max_wait: 30m }
routes:
  - { match: POST /orders, service: shop, queue: orders, hold: 0s, timeout: 5s }
  - { match: POST /straight, service: shop, queue: straight, hold: 0s, timeout: 5s }
`,
  });
}

/** Who keeps time, by a node's word. */
async function timekeeperOf(node: Usher): Promise<{ node: string; term: number } | undefined> {
  const { node: seen } = await adminOf(node).getNode({});
  return seen?.timekeeper && { node: seen.timekeeper.node, term: seen.timekeeper.term };
}

describe("two nodes", () => {
  let a: Usher;
  let b: Usher;

  beforeAll(async () => {
    [a, b] = await Promise.all([startNode(log, "a"), startNode(log, "b")]);
  });

  test("a stored request that one took is answered through the other", async () => {
    const posted = await fetch(`${a.gatewayUrl}/orders`, { method: "POST", body: "one seat" });
    const [location, number] = [posted.headers.get("location"), posted.headers.get("usher-ticket")];
    expect(posted.status).toBe(202);
    await eventually(async () => {
      const answer = await fetch(`${b.gatewayUrl}${location}`);
      expect([answer.status, await answer.text()]).toEqual([200, `answer to ticket ${number}`]);
    });
    const sent = service.seen.filter(({ headers }) => headers["usher-ticket"] === number);
    expect(sent).toHaveLength(1);
  });

  test("a ticket is seen on both, admitted by either's word, and completed by the other's", async () => {
    const first = await backendOf(a).issue({ queue: "sale" });
    expect(first.status?.ticket?.position).toBe(0);
    const second = await backendOf(b, NATIVE).issue({ queue: "sale" });
    expect(second.status?.ticket?.position).toBe(1);
    const { token } = second;
    expect((await callerOf(a, CONNECT).getTicket({ token })).status?.ticket?.position).toBe(1);

    const watching = callerOf(a, CONNECT).watchPosition({ token })[Symbol.asyncIterator]();
    expect((await watching.next()).value?.status?.ticket?.position).toBe(1);
    await backendOf(b).complete({ ticketId: first.status?.ticket?.id ?? "" });
    expect((await watching.next()).value?.status?.ticket?.position).toBe(0);
    await watching.return?.();

    const third = await backendOf(a).issue({ queue: "sale" });
    await backendOf(a).complete({ ticketId: second.status?.ticket?.id ?? "" });
    await eventually(async () => {
      const seen = await callerOf(b, CONNECT).getTicket({ token: third.token });
      expect(seen.status?.ticket?.state).toBe(TicketState.ADMITTED);
    });
    const waiting = await backendOf(b).issue({ queue: "sale" });
    await backendOf(b).complete({ ticketId: third.status?.ticket?.id ?? "" });
    await backendOf(a).complete({ ticketId: waiting.status?.ticket?.id ?? "" });
    const admitted = await backendOf(b).admit({
      queue: "sale",
      requestId: "nobody is there",
      who: { case: "count", value: 5 },
    });
    expect(admitted.admitted).toBe(0);
  });

  test("the same idempotency key on both at once is one ticket", async () => {
    const keys = Array.from({ length: 20 }, (_, n) => `purchase ${n}, of somebody or other`);
    for (const idempotencyKey of keys) {
      const [one, other] = await Promise.all(
        [a, b].map((node) => callerOf(node, CONNECT).issue({ queue: "sale", idempotencyKey })),
      );
      expect(one?.status?.ticket?.id).toBe(other?.status?.ticket?.id);
      expect([one?.existing, other?.existing].filter((existing) => existing)).toHaveLength(1);
    }
  });

  test("kcat shows the queue as a record's key, and the trace of the request among its headers", async () => {
    const posted = await fetch(`${b.gatewayUrl}/orders`, { method: "POST", headers: { traceparent: TRACE } });
    expect(posted.status).toBe(202);
    await eventually(async () => {
      // A count, not -e: while somebody waits, a tick comes before kcat ever sees an end.
      const { node } = await adminOf(b).getNode({});
      const range = ["-o", "beginning", "-c", `${node?.log?.asOf}`];
      const { stdout } = await promisify(execFile)("kcat", [
        ...["-b", log.kafka.brokers.join(","), "-C", "-t", "usher.queues", "-q", "-f", "%k %h\n", ...range],
      ]);
      // The issue, the claim and the answer.
      expect(stdout.match(new RegExp(`^orders traceparent=${TRACE}$`, "gm"))).toHaveLength(3);
    });
  });

  test("the timekeeper that is shut down hands over, and one that is killed is replaced", async () => {
    const before = await timekeeperOf(a);
    const [keeping, other, otherName] = before?.node === "a" ? [a, b, "b"] : [b, a, "a"];
    expect(before?.node).not.toBe(otherName);
    await keeping.kill("SIGTERM");
    const handedOver = await eventually(async () => {
      const now = await timekeeperOf(other);
      expect(now?.node).toBe(otherName);
      return now;
    });
    expect(handedOver?.term).toBe((before?.term ?? 0) + 1);

    const again = await startNode(log, before?.node ?? "");
    await other.kill("SIGKILL");
    await eventually(async () => {
      expect(await timekeeperOf(again)).toEqual({ node: before?.node, term: (before?.term ?? 0) + 2 });
    });
    const issued = await callerOf(again, CONNECT).issue({ queue: "sale" });
    expect(issued.status?.ticket?.number).toBeGreaterThan(20);
    await again.stop();
  });
});

test("without Kafka, places are told as old, tickets refused, what is under the limit goes on; with it, all is as before", async () => {
  await using own = await SharedLog.start();
  const node = await startNode(own, "a");
  const caller = callerOf(node, CONNECT);
  await caller.issue({ queue: "sale" });
  const { token } = await caller.issue({ queue: "sale" });
  const watching = caller.watchPosition({ token })[Symbol.asyncIterator]();
  expect((await watching.next()).value?.status).toMatchObject({ stale: false, ticket: { position: 1 } });

  // What else is worth telling may come in between.
  const toldStale = async (stale: boolean) => {
    for (;;) {
      const status = (await watching.next()).value?.status;
      expect(status).toMatchObject({ ticket: { position: 1 } });
      if (status?.stale === stale) return;
    }
  };
  await own.kafka.broker(1).kill();
  await toldStale(true);
  expect((await fetch(`${node.gatewayUrl}/readyz`)).status).toBe(503);
  expect((await fetch(`${node.gatewayUrl}/livez`)).status).toBe(200);
  expect((await caller.getTicket({ token })).status?.stale).toBe(true);
  const refused = await refusalOf(caller.issue({ queue: "sale" }));
  expect(refused).toMatchObject({ code: "Unavailable", reason: "NOT_READY" });
  expect(refused.retry_ms).toBeGreaterThan(0);
  const through = await fetch(`${node.gatewayUrl}/straight`, { method: "POST", body: "one seat" });
  expect([through.status, await through.text()]).toEqual([200, "answer to ticket none"]);
  const queued = await fetch(`${node.gatewayUrl}/orders`, { method: "POST", body: "one seat" });
  expect(queued.status).toBe(503);
  expect(queued.headers.get("retry-after")).not.toBeNull();

  await own.kafka.broker(1).start();
  await toldStale(false);
  await eventually(async () => {
    expect((await fetch(`${node.gatewayUrl}/readyz`)).status).toBe(200);
  });
  expect((await caller.issue({ queue: "sale" })).status?.ticket?.number).toBe(3);
  await watching.return?.();
});
