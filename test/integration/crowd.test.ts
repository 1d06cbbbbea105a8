// The gateway when it holds as much as it may.

import { setMaxListeners } from "node:events";
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
    const place = { queue, view: queue.ticket(1)! };
    void replica.desk.watch(place, leave.signal).next();
  }
  expect(await order("second", 30)).toBe(202);
  await setMode("queue_all");
  await eventually(() => expect(service.seen.map(({ body }) => body)).toEqual(["first", "second"]));
});
