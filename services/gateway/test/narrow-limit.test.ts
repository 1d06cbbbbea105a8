// A queue with less room than there are nodes: a node that was started with fewer of them allowed it, or an older log has
// it. No share is left for anybody to go straight through, and the line goes on.

import { MemoryStore } from "@usher/ticket-log";
import { expect, test } from "vitest";
import { configure, openNode, QUEUE } from "./support/defer-queue.ts";
import { openHttp } from "./support/service.ts";

test("where there is less room than nodes, all wait, all are answered, and never more are at the service than may be", async () => {
  let [inside, most] = [0, 0];
  const service = await openHttp((req, res) => {
    most = Math.max(most, ++inside);
    req.resume().on("end", () =>
      setImmediate(() => {
        inside--;
        res.end(`done ${req.url}`);
      }),
    );
  });
  const store = new MemoryStore({ shared: true });
  const usual = { store, service, nodes: 3, route: { hold_ms: 50_000 } };
  const nodes = await Promise.all(["a", "b", "c"].map((name) => openNode({ ...usual, name })));
  const [first] = nodes;
  if (first === undefined) throw new Error("there is no node");
  await configure(first, { mode: "auto", max_active: 2 }, 1);
  await expect.poll(() => nodes.every(({ replica }) => replica.fold.queue(QUEUE) !== undefined)).toBe(true);
  const answers = await Promise.all(
    Array.from({ length: 12 }, async (_, n) => {
      const answer = await fetch(`${nodes[n % 3]?.gateway.url}/${n}`, { method: "POST", body: "x" });
      return [answer.status, await answer.text(), answer.headers.get("usher-ticket") !== null];
    }),
  );
  expect(answers).toEqual(Array.from({ length: 12 }, (_, n) => [200, `done /${n}`, true]));
  expect(most).toBeLessThanOrEqual(2);
  expect(nodes.flatMap(({ faults }) => faults)).toEqual([]);
});

test("what a limit that is lowered below the nodes finds in flight is waited for, and one that is raised lets people straight through again", async () => {
  const held: (() => void)[] = [];
  const service = await openHttp((req, res) => {
    req.resume();
    if (req.url === "/slow") held.push(() => res.end("slow"));
    else res.end("quick");
  });
  const node = await openNode({ store: new MemoryStore(), name: "a", service, route: { hold_ms: 50_000 } });
  await configure(node, { mode: "auto", max_active: 4 }, 1);
  const slow = fetch(`${node.gateway.url}/slow`);
  await expect.poll(() => held.length).toBe(1);
  await configure(node, { mode: "auto", max_active: 1 }, 2);
  const waits = fetch(`${node.gateway.url}/quick`, { method: "POST", body: "x" });
  await expect.poll(() => node.replica.fold.queue(QUEUE)?.active).toBe(1);
  held.pop()?.();
  expect(await (await slow).text()).toBe("slow");
  const answer = await waits;
  expect([answer.status, answer.headers.get("usher-ticket"), await answer.text()]).toEqual([
    200,
    "1",
    "quick",
  ]);
  await configure(node, { mode: "auto", max_active: 2 }, 3);
  const straight = await fetch(`${node.gateway.url}/quick`, { method: "POST", body: "x" });
  expect([straight.status, straight.headers.get("usher-ticket")]).toEqual([200, null]);
});
