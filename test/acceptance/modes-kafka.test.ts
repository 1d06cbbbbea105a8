// What operators do at one of two nodes is in effect at both: on a real Kafka, with real processes.

import type { QueueDetails } from "@usher/protocol/admin";
import { QueueMode } from "@usher/protocol/queue";
import { afterAll, beforeAll, expect, test } from "vitest";
import { adminOf, CONNECT, callerOf, refusalOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { Gate, type Service, startService } from "../support/service.ts";
import { SharedLog } from "../support/shared-log.ts";
import { runUsher, type Usher } from "../support/usher.ts";

let log: SharedLog;
let service: Service;
const gate = new Gate();
let a: Usher;
let b: Usher;

beforeAll(async () => {
  log = await SharedLog.start();
  service = await startService(gate.answer);
  const config = `
services: { shop: { url: ${service.url} } }
queues:
  orders: { kind: defer, limit: { max_active: 4 }, max_wait: 30m }
  sale: { kind: pass, limit: { max_active: 1 }, max_wait: 30m }
  contested: { kind: pass, limit: { max_active: 1 }, max_wait: 30m }
routes:
  - { match: POST /orders, service: shop, queue: orders, hold: 0s, timeout: 10s }
`;
  [a, b] = await Promise.all([log.node("a", { config }), log.node("b", { config })]);
});
afterAll(async () => {
  gate.open();
  await log?.close();
  await service?.stop();
});

async function read(node: Usher, queue: string): Promise<QueueDetails> {
  const { queue: details } = await adminOf(node).getQueue({ queue });
  if (details === undefined) throw new Error(`no queue ${queue}`);
  return details;
}

/** Changes a mode at one node, by the command, which waits until the other has it, too. */
async function setMode(mode: string, [at, other]: readonly [Usher, Usher], queue = "orders"): Promise<void> {
  const { code, stderr } = await runUsher([
    ...["queue", "set", queue, "--mode", mode, "--reason", `${mode} is wanted`],
    ...["--url", at.gatewayUrl, "--key", at.apiKey, "--at", other.gatewayUrl],
  ]);
  expect(code).toBe(0);
  expect(stderr.match(/: in effect as revision \d+, \d+ ms after it was asked for$/gm)).toHaveLength(2);
}

async function order(node: Usher): Promise<number> {
  const answer = await fetch(`${node.gatewayUrl}/orders`, { method: "POST", body: "one seat" });
  await answer.arrayBuffer();
  return answer.status;
}

test("each mode that is set at one is kept by the other: QUEUE_ALL, PAUSED, OPEN, CLOSED, AUTO", async () => {
  gate.open();
  expect([await order(a), await order(b)]).toEqual([200, 200]);
  await setMode("queue_all", [a, b]);
  expect([await order(a), await order(b)]).toEqual([202, 202]);
  await eventually(() => expect(service.seen).toHaveLength(4));
  await setMode("paused", [b, a]);
  expect([await order(a), await order(b)]).toEqual([202, 202]);
  expect(service.seen).toHaveLength(4);
  await setMode("open", [a, b]);
  expect([await order(a), await order(b)]).toEqual([200, 200]);
  await eventually(() => expect(service.seen).toHaveLength(8));
  await setMode("closed", [b, a]);
  expect([await order(a), await order(b)]).toEqual([503, 503]);
  await setMode("auto", [a, b]);
  expect([await order(a), await order(b)]).toEqual([200, 200]);
  expect((await read(a, "orders")).settings?.mode).toBe(QueueMode.AUTO);
});

test("a notice that is given at one is told to those who watch at the other", async () => {
  await setMode("paused", [a, b], "sale");
  const { token } = await callerOf(b, CONNECT).issue({ queue: "sale" });
  const hangUp = new AbortController();
  const watching = callerOf(b, CONNECT)
    .watchPosition({ token }, { signal: hangUp.signal })
    [Symbol.asyncIterator]();
  expect((await watching.next()).value?.status?.notice).toBe("");
  const told = watching.next();
  const { etag } = await read(a, "sale");
  const change = { settings: { notice: "Back at ten." }, updateMask: { paths: ["notice"] } };
  await adminOf(a).updateQueue({ ...change, queue: "sale", etag, reason: "a test" });
  expect((await told).value?.status?.notice).toBe("Back at ten.");
  hangUp.abort();
});

test("of changes at both at once one is made, at both; and the log tells who, where and why", async () => {
  const { etag, revision } = await read(a, "contested");
  await eventually(async () => expect((await read(b, "contested")).revision).toBe(revision));
  const changes = [a, b, a, b, a, b].map((node, n) =>
    adminOf(node).updateQueue({
      ...{ queue: "contested", etag, reason: `change ${n}` },
      ...{ settings: { attempts: n + 10 }, updateMask: { paths: ["attempts"] } },
    }),
  );
  const ends = await Promise.allSettled(changes);
  const made = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value.queue] : []));
  expect(made).toHaveLength(1);
  for (const [at, end] of ends.entries())
    if (end.status === "rejected")
      expect(await refusalOf(changes[at]!)).toMatchObject({ code: "Aborted", reason: "ETAG_MISMATCH" });
  for (const node of [a, b])
    await eventually(async () => {
      const { revision: now, settings } = await read(node, "contested");
      expect([now, settings?.attempts]).toEqual([revision + 1, made[0]?.settings?.attempts]);
    });
  const { stdout } = await runUsher([
    ...["queue", "history", "contested", "--json", "--url", b.gatewayUrl, "--key", b.apiKey],
  ]);
  const history = JSON.parse(stdout) as { changes: { actor: string; node: string; reason: string }[] };
  expect(history.changes).toHaveLength(revision + 1);
  expect(history.changes[0]?.actor).toMatch(/^node:[ab]$/);
  const [last] = history.changes.slice(-1);
  expect(last).toMatchObject({
    actor: "key:default",
    node: expect.stringMatching(/^[ab]$/),
    reason: `change ${(made[0]?.settings?.attempts ?? 0) - 10}`,
  });
});

test("room that two nodes cannot divide is refused at both, and a pass queue's may be one", async () => {
  for (const node of [a, b]) {
    const set = async (queue: string) =>
      adminOf(node).updateQueue({
        ...{ queue, etag: (await read(node, queue)).etag, reason: "a test" },
        ...{ settings: { limit: { maxActive: 1 } }, updateMask: { paths: ["limit.max_active"] } },
      });
    expect(await refusalOf(set("orders"))).toMatchObject({
      code: "InvalidArgument",
      message: expect.stringContaining("cannot be divided among 2 nodes"),
    });
    expect((await set("sale")).queue?.settings?.limit?.maxActive).toBe(1);
    expect(await order(node)).toBe(200);
  }
});
