// `fetch` that waits, under what people call services with: ky, tRPC and Connect's own client. None of them knows of it.

import { createClient as createConnectClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { createTRPCClient, httpBatchLink } from "@trpc/client";
import { initTRPC } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import ky from "ky";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Seen, type Service, startService } from "../../../test/support/service.ts";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { type BackendClient, createClient, createFetch, QueueService } from "../src/index.ts";

const CONFIG = (service: string) => `
services: { shop: { url: "${service}" } }
queues:
  orders: { kind: defer, limit: { rate_per_second: 100, max_active: 2 }, max_wait: 1h, mode: paused }
  checkout: { kind: pass, limit: { rate_per_second: 100, max_active: 100 }, max_wait: 1h, mode: paused }
routes:
  - { match: /orders/*, service: shop, queue: orders, hold: 0s }
  - { match: /checkout/*, service: shop, queue: checkout }
`;

const trpc = initTRPC.create();
const router = trpc.router({
  seats: trpc.procedure.query(() => ["A1", "A2"]),
  buy: trpc.procedure.input((seat) => String(seat)).mutation(({ input }) => ({ bought: input })),
});

let service: Service;
let usher: Usher;
let backend: BackendClient;
let asked: number;

beforeAll(async () => {
  service = await startService(async (res, seen) => {
    const answer = await answerOf(seen);
    res.writeHead(answer.status, Object.fromEntries(answer.headers));
    res.end(Buffer.from(await answer.arrayBuffer()));
  });
  usher = await startUsher({ config: CONFIG(service.url) });
  backend = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
});

beforeEach(() => {
  asked = service.seen.length;
});

afterAll(async () => {
  backend?.close();
  await usher?.stop();
  await service?.stop();
});

/** A service that speaks tRPC, Connect's JSON for one method, and plain JSON. */
async function answerOf({ method, target, headers, body }: Seen): Promise<Response> {
  const [, queue = ""] = target.split("/");
  if (target.includes("/trpc/")) {
    const request = new Request(`http://shop${target}`, {
      method,
      headers: { "content-type": `${headers["content-type"] ?? ""}` },
      ...(method === "POST" && { body }),
    });
    return fetchRequestHandler({
      endpoint: `/${queue}/trpc`,
      req: request,
      router,
      createContext: () => ({}),
    });
  }
  if (target.endsWith("/GetQueue")) {
    const { queue: name } = JSON.parse(body);
    return Response.json({ queue: { name, waiting: 7 } });
  }
  return Response.json({ ...JSON.parse(body), queue });
}

/** Admits whoever has to wait. */
function waitingFetch(): typeof fetch {
  const known = new Set<string>();
  return createFetch({
    onStatus({ id, queue }) {
      if (!known.has(id)) void backend.admit(queue, { ticket: id });
      known.add(id);
    },
  });
}

describe.each(["orders", "checkout"])("before a service behind %s", (queue) => {
  it("ky gets its answer", async () => {
    const api = ky.create({ fetch: waitingFetch(), retry: 0 });
    const answer = await api.post(`${usher.gatewayUrl}/${queue}/plain`, { json: { seats: 2 } }).json();
    expect(answer).toEqual({ seats: 2, queue });
    expect(service.seen).toHaveLength(asked + 1);
  });

  it("tRPC gets its answers, and a mutation is carried out once", async () => {
    const client = createTRPCClient<typeof router>({
      links: [httpBatchLink({ url: `${usher.gatewayUrl}/${queue}/trpc`, fetch: waitingFetch() })],
    });
    expect(await client.buy.mutate("A1")).toEqual({ bought: "A1" });
    expect(await client.seats.query()).toEqual(["A1", "A2"]);
    expect(service.seen).toHaveLength(asked + 2);
  });

  it("Connect's client gets its answer", async () => {
    const transport = createConnectTransport({
      baseUrl: `${usher.gatewayUrl}/${queue}/rpc`,
      fetch: waitingFetch(),
    });
    const client = createConnectClient(QueueService, transport);
    expect(await client.getQueue({ queue: "theirs" })).toMatchObject({
      queue: { name: "theirs", waiting: 7 },
    });
    expect(service.seen).toHaveLength(asked + 1);
  });
});
