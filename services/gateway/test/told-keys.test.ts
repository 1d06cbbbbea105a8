// The key that the service is given, told where it can be had without harm: never at the price of an answer.

import { LogError, MemoryStore } from "@usher/ticket-log";
import { expect, test, vi } from "vitest";
import { configure, type Node, openNode, QUEUE } from "./support/defer-queue.ts";
import { openHttp } from "./support/service.ts";

const KEY = "a-key-of-22-characters-or-more";

/** Two nodes, of which the second's store refuses to be read; nothing is sent. */
async function open(): Promise<{ a: Node; b: Node; reads: () => number }> {
  const store = new MemoryStore({ shared: true });
  const service = await openHttp((_, res) => res.end());
  const a = await openNode({ store, name: "a", service });
  const b = await openNode({ store, name: "b", service });
  await configure(a, { mode: "paused" }, 1);
  await vi.waitFor(() => expect(b.replica.fold.queue(QUEUE)).toBeDefined());
  const read = vi.spyOn(b.log, "getPayload").mockRejectedValue(new LogError("overloaded", "too many"));
  return { a, b, reads: () => read.mock.calls.length };
}

function post({ gateway }: Node): Promise<Response> {
  return fetch(`${gateway.url}/`, { method: "POST", body: "x", headers: { "idempotency-key": KEY } });
}

test("a 202 has the key in hand, whatever the store says", async () => {
  const { a, b, reads } = await open();
  const first = await post(a);
  await vi.waitFor(() => expect(b.replica.fold.queue(QUEUE)?.lastNumber).toBe(1));
  const again = await post(b);
  const told = ({ status, headers }: Response) => [status, headers.get("usher-idempotency-key")];
  expect([first, again].map(told)).toEqual([
    [202, KEY],
    [202, KEY],
  ]);
  expect(again.headers.get("usher-ticket")).toBe("1");
  expect(reads()).toBe(0);
});

test("a ticket that waits is told from memory, with the key where the node has it", async () => {
  const { a, b, reads } = await open();
  const location = (await post(a)).headers.get("location") ?? "";
  await vi.waitFor(() => expect(b.replica.fold.queue(QUEUE)?.lastNumber).toBe(1));
  const [here, there] = [
    await fetch(`${a.gateway.url}${location}`),
    await fetch(`${b.gateway.url}${location}`),
  ];
  expect([here.status, there.status]).toEqual([200, 200]);
  const keys = [here, there].map(({ headers }) => headers.get("usher-idempotency-key"));
  expect(keys).toEqual([KEY, null]);
  expect(reads()).toBe(0);
});
