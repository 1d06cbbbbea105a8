// A shop with a line before it, and what operators and backends do with that line.

import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AdminService } from "@usher/protocol/admin";
import { type QueueMode, QueueService } from "@usher/protocol/queue";
import { onTestFinished } from "vitest";
import { startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";

/** A shop with room for one at a time; `/free` is for everybody. By its rate, who waits may expect to go soon, and is told to ask again soon. */
export async function start(): Promise<Usher> {
  const service = await startService((res, { method, target }) => {
    res.setHeader("content-type", "text/html");
    res.end(
      `<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,"><h1>The shop: ${method} ${target}</h1><form method="post" action="/order"><button>Buy</button></form></html>`,
    );
  });
  onTestFinished(() => service.stop());
  const usher = await startUsher({
    config: `
services: { shop: { url: ${service.url} } }
queues: { checkout: { kind: pass, limit: { rate_per_second: 50, max_active: 1 }, max_wait: 10m } }
routes: [{ match: /free, service: shop }, { match: /*, service: shop, queue: checkout }]
`,
    demo: true,
  });
  onTestFinished(() => usher.stop());
  return usher;
}

export function callers({ gatewayUrl }: Usher) {
  const transport = createConnectTransport({ baseUrl: gatewayUrl, httpVersion: "1.1" });
  const queue = createClient(QueueService, transport);
  const admin = createClient(AdminService, transport);
  return {
    queue,
    async change(settings: { mode?: QueueMode; notice?: string }): Promise<void> {
      const { queue } = await admin.getQueue({ queue: "checkout" });
      await admin.updateQueue({
        ...{ queue: "checkout", settings, updateMask: { paths: Object.keys(settings) } },
        ...{ etag: queue?.etag ?? "", reason: "a test" },
      });
    },
    /** Takes the only slot, or a place in the line. */
    async issue(): Promise<string> {
      const { status } = await queue.issue({ queue: "checkout" });
      return status?.ticket?.id ?? "";
    },
    async complete(ticketId: string): Promise<void> {
      await queue.complete({ ticketId });
    },
  };
}
