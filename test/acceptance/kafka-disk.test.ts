// A broker's disk that takes no more: no ticket is given out that is not kept, the node says that it cannot, and when
// there is room again, everybody's ticket is as it was.

import { expect, test } from "vitest";
import { CONNECT, callerOf, refusalOf } from "../support/callers.ts";
import { eventually } from "../support/eventually.ts";
import { SharedLog } from "../support/shared-log.ts";
import { mayMount, mountSmallDisk } from "../support/small-disk.ts";

const MiB = 1_024 * 1_024;

test.skipIf(!mayMount())("of a broker whose disk is full nothing that was acknowledged is lost", async () => {
  await using disk = await mountSmallDisk(64 * MiB);
  await using log = await SharedLog.start({
    folder: disk.directory,
    // Files that are made at their full size would fill the disk at once.
    properties: { "log.segment.bytes": `${MiB}`, "log.index.size.max.bytes": "4096" },
  });
  const usher = await log.node("a", {
    nodes: 1,
    config: `
queues:
  sale: { kind: pass, limit: { max_active: 1 }, max_wait: 30m }
services: {}
routes: []
`,
  });
  const caller = callerOf(usher, CONNECT);
  const issue = (n: number) =>
    caller.issue({ queue: "sale", idempotencyKey: `visitor ${n}, of the test of disks` });
  const brokerPid = log.kafka.broker(1).pid ?? 0;
  const tokens: string[] = [];
  for (let n = 1; n <= 20; n++) tokens.push((await issue(n)).token);

  await disk.fill(brokerPid);
  // What little room is left may hold some more.
  const refusal = await (async () => {
    for (;;) {
      const issued = issue(tokens.length + 1);
      const error = await issued.then(
        ({ token }) => void tokens.push(token),
        () => refusalOf(issued),
      );
      if (error !== undefined) return error;
    }
  })();
  expect(refusal).toMatchObject({ code: "Unavailable" });
  await eventually(async () => {
    expect((await fetch(`${usher.gatewayUrl}/readyz`)).status).toBe(503);
    expect((await caller.getTicket({ token: tokens.at(-1) ?? "" })).status?.stale).toBe(true);
  });
  expect(usher.output()).toMatch(/cannot be reached|no answer|not (be )?read|unavailable/i);

  await disk.makeRoom(brokerPid);
  await log.kafka.broker(1).kill();
  await log.kafka.broker(1).start();
  await eventually(async () => {
    expect((await fetch(`${usher.gatewayUrl}/readyz`)).status).toBe(200);
  });
  for (const [n, token] of tokens.entries())
    expect((await caller.getTicket({ token })).status?.ticket?.number).toBe(n + 1);
  const next = await issue(tokens.length + 1);
  expect(next.status?.ticket?.number).toBe(tokens.length + 1);
});
