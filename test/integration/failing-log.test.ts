// The gateway on a log that fails on purpose: what comes of requests whose records it does not take.

import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { setTheStage } from "./support/stage.ts";

test("requests whose claims the log refuses are sent once it takes them again", async () => {
  const stage = await setTheStage();
  const { replica, service } = stage;
  expect([await stage.order("a"), await stage.order("b")]).toEqual([202, 202]);
  // The change of mode itself; the claim that follows it is the first that is refused.
  stage.takes = 1;
  await stage.setMode("queue_all");
  await eventually(() => expect(stage.refused).toBe(1));
  expect(service.seen).toEqual([]);
  stage.takes = Number.POSITIVE_INFINITY;
  await eventually(() => expect(service.seen.map(({ body }) => body)).toEqual(["a", "b"]));
  expect(replica.fold.queue("orders")?.waiting).toBe(0);
});
