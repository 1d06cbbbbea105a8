// Queues in memory, and a service behind one.

import { createGuard } from "@usher/sdk/guard";
import { createTestQueues } from "@usher/sdk/testing";
import { createFetch } from "@usher/sdk/web";

export async function* ofMemory(): AsyncGenerator<string> {
  const queues = createTestQueues({ shop: { kind: "pass", max_active: 1 } });
  const guard = createGuard({ jwks: queues.jwks, queue: "shop", audience: "shop" });
  const first = await queues.client().issue("shop");
  const behind = queues.gateway(
    "shop",
    guard.fetch((request) => new Response(`sold to ${guard.passOf(request).number}`)),
  );
  const order = createFetch({ fetch: behind })("http://shop.test/orders", { method: "POST", body: "A1" });
  await queues.advance(5_000);
  yield `${(await queues.client().queue("shop")).waiting} waits`;
  await queues.client().complete(first.id);
  await queues.advance(60_000);
  yield await (await order).text();
}
