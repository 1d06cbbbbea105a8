// Connections of other protocols before a queue of people: they live no longer than the slot of whoever opened them.

import { formatTicketId } from "@usher/replica";
import { expect, test } from "vitest";
import { configure, type Node, openNode, QUEUE } from "./support/pass-queue.ts";
import { Raw } from "./support/raw.ts";
import { openRaw, until } from "./support/service.ts";

const AGREED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: bytes\r\nConnection: upgrade\r\n\r\n";

async function open(session_ms: number): Promise<{ node: Node; raw: Raw }> {
  const service = await openRaw((socket, received) => {
    if (received.endsWith("\r\n\r\n")) socket.write(AGREED);
  });
  const node = await openNode({ service: service.port, upgrade: true });
  await configure(node, { session_ms });
  const raw = await Raw.open(node.gateway.port);
  raw.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n");
  await raw.until(/^HTTP\/1\.1 101 .*\r\n\r\n/s);
  return { node, raw };
}

test("a connection is cut when the ticket of whoever opened it has ended", async () => {
  const { node, raw } = await open(600_000);
  const id = formatTicketId({ queue: QUEUE, epoch: node.replica.epoch(), number: 1 });
  await node.replica.desk.complete(node.replica.desk.named(id));
  await raw.closed();
});

test("a connection that lives is a use of the pass: its session is extended, again and again", async () => {
  const { node, raw } = await open(1_000);
  const extensions = () => node.replica.fold.queue(QUEUE)?.ticket(1)?.session?.extensions ?? 0;
  await until(() => extensions() >= 2);
  expect(raw.socket.closed).toBe(false);
  raw.socket.destroy();
});
