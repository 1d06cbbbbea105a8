// Watches that go on whatever happens underneath, against the real program, which is killed. Behind proxies: networks.test.ts.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { createClient, type QueueClient, type Status, type Ticket } from "../src/index.ts";
import { createClient as createWebClient } from "../src/web.ts";

const CONFIG = `
services: { shop: { url: "http://127.0.0.1:9" } }
queues:
  concert: { kind: pass, limit: { rate_per_second: 1, max_active: 100 }, max_wait: 1h, mode: paused }
routes:
  - { match: GET /concert, service: shop, queue: concert }
`;

/** As in the wild, and in a hurry. */
const TIMINGS = { reconnect: 20, pace: 20 };

let usher: Usher;

beforeAll(async () => {
  usher = await startUsher({ config: CONFIG });
});

afterAll(() => usher?.stop());

function backend() {
  return createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
}

/** Watches until the end, and does something after the first status. */
async function watched(ticket: Ticket, after: () => Promise<void>): Promise<Status[]> {
  const seen: Status[] = [];
  for await (const status of ticket.watch()) {
    seen.push(status);
    if (seen.length === 1) await after();
    if (status.state === "admitted") break;
  }
  return seen;
}

describe.each([
  [
    "gRPC",
    (): QueueClient =>
      createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey, timings: TIMINGS }),
  ],
  ["Connect", (): QueueClient => createWebClient({ baseUrl: usher.gatewayUrl, timings: TIMINGS })],
])("over %s", (_, open) => {
  it("a watch outlives the node, and goes on with the same ticket when it is back", async () => {
    using client = open();
    const ahead = await client.issue("concert");
    const ticket = await client.issue("concert");
    const seen = await watched(ticket, async () => {
      const { data, ports } = usher;
      await usher.kill();
      usher = await startUsher({ config: CONFIG, data, ports });
      using admitting = backend();
      await admitting.admit("concert", { ticket: ahead.id });
      await admitting.admit("concert", { ticket: ticket.id });
    });
    expect(new Set(seen.map(({ id }) => id))).toEqual(new Set([ticket.id]));
    expect(seen.at(-1)).toMatchObject({ state: "admitted", position: 0 });
    const positions = seen.map(({ position = 0 }) => position);
    expect(positions).toEqual(positions.toSorted((a, b) => b - a));
    using admitting = backend();
    for (const { id } of [ahead, ticket]) await admitting.complete(id);
  });
});

it("one node of several that is gone is passed over", async () => {
  for (let turn = 0; turn < 4; turn++) {
    using client = createClient({
      baseUrl: ["http://127.0.0.1:9", `http://${usher.nativeAddress}`],
      apiKey: usher.apiKey,
    });
    const ticket = await client.issue("concert");
    await ticket.leave();
  }
});
