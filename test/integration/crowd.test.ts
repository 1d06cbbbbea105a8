// The gateway when it holds as much as it may.

import { setMaxListeners } from "node:events";
import { queryObjects } from "node:v8";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { setTheStage } from "./support/stage.ts";

test("I4: a request that is stored is never called refused because nobody more may watch: its client gets the ticket", async () => {
  const { replica, service, order, setMode } = await setTheStage();
  expect(await order("first")).toBe(202);
  const queue = replica.desk.queue("orders");
  const leave = new AbortController();
  setMaxListeners(0, leave.signal);
  onTestFinished(() => leave.abort());
  while (!replica.places.full) {
    const place = { queue, view: queue.ticket(1)!, asOf: 0 };
    void replica.desk.watch(place, leave.signal).next();
  }
  expect(await order("second", 30)).toBe(202);
  await setMode("queue_all");
  await eventually(() => expect(service.seen.map(({ body }) => body)).toEqual(["first", "second"]));
});

test("I20: of requests that were held, nothing is left that watched them", async () => {
  const { order } = await setTheStage();
  const hold = async () => {
    const statuses = await Promise.all(Array.from({ length: 200 }, (_, n) => order(`${n}`, 1)));
    expect(new Set(statuses)).toEqual(new Set([202]));
  };
  await hold();
  const before = await signals();
  await hold();
  await hold();
  expect((await signals()) - before).toBeLessThan(100);
});

/** How many signals there are that something still holds. */
async function signals(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  // What was held weakly goes one collection after another.
  for (let n = 0; n < 5; n++) {
    least = Math.min(least, queryObjects(AbortSignal, { format: "count" }));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return least;
}
