// A service behind a gateway, in memory: what it answers is what the real gateway answers, and `fetch` that waits works on
// both.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { byClock, clockOf } from "../src/calls/clock.ts";
import { type BackendClient, createClient, createFetch, type Status } from "../src/index.ts";
import { createTestQueues } from "../src/testing.ts";

const CONFIG = (port: number) => `
services: { shop: { url: "http://127.0.0.1:${port}" } }
queues:
  orders: { kind: defer, limit: { rate_per_second: 100, max_active: 2 }, max_wait: 1h, mode: paused, notice: "Soon" }
  checkout: { kind: pass, limit: { rate_per_second: 100, max_active: 2 }, max_wait: 1h, mode: paused, notice: "Soon" }
  shut: { kind: pass, limit: { max_active: 2 }, max_wait: 1h, mode: closed }
  closed: { kind: defer, limit: { max_active: 2 }, max_wait: 1h, mode: closed }
routes:
  - { match: /orders, service: shop, queue: orders, hold: 0s }
  - { match: /checkout, service: shop, queue: checkout }
  - { match: /shut, service: shop, queue: shut }
  - { match: /closed, service: shop, queue: closed, hold: 0s }
`;

const SET = {
  rate_per_second: 100,
  max_active: 2,
  mode: "paused",
  notice: "Soon",
  services: ["shop"],
} as const;

/** A way to the same queues. */
interface Way {
  fetch(queue: string): typeof fetch;
  at(path: string): string;
  backend(): BackendClient;
}

/** Bodies that have reached the service. */
const served: string[] = [];

async function shop(body: string, url: string): Promise<{ status: number; text: string }> {
  served.push(body);
  return {
    status: Number(new URL(url, "http://shop").searchParams.get("status") ?? 200),
    text: `order ${body}`,
  };
}

const service = createServer(async (req, res) => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  const { status, text } = await shop(Buffer.concat(chunks).toString(), req.url ?? "");
  res
    .writeHead(status, { "x-shop": "yes", "content-type": "text/plain", "usher-ticket": "forged" })
    .end(text);
});
let usher: Usher;

beforeAll(async () => {
  await new Promise<void>((listening) => service.listen(0, "127.0.0.1", listening));
  usher = await startUsher({ config: CONFIG((service.address() as AddressInfo).port) });
});

beforeEach(() => {
  served.splice(0);
});

afterAll(async () => {
  await usher?.stop();
  service.close();
});

const QUEUES = createTestQueues({
  orders: { kind: "defer", ...SET },
  checkout: { kind: "pass", ...SET },
  shut: { kind: "pass", max_active: 2, mode: "closed" },
  closed: { kind: "defer", max_active: 2, mode: "closed" },
});

async function inMemory(request: Request): Promise<Response> {
  const { status, text } = await shop(await request.text(), request.url);
  const headers = { "x-shop": "yes", "content-type": "text/plain", "usher-ticket": "forged" };
  return new Response(text, { status, headers });
}

const GATEWAYS = new Map(
  ["orders", "checkout", "shut", "closed"].map((name) => [name, QUEUES.gateway(name, inMemory)]),
);

const WAYS: readonly [name: string, way: Way][] = [
  [
    "at the real gateway",
    {
      fetch: () => fetch,
      at: (path) => `${usher.gatewayUrl}${path}`,
      backend: () => createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey }),
    },
  ],
  [
    "in memory",
    {
      fetch: (queue) => GATEWAYS.get(queue) ?? fetch,
      at: (path) => `http://shop.test${path}`,
      backend: () => QUEUES.client(),
    },
  ],
];

/** Headers that are the transport's, or of the moment; and cookies, which `fetch` has only in browsers. */
const OTHERS = new Set([
  "set-cookie",
  "connection",
  "date",
  "keep-alive",
  "transfer-encoding",
  "content-length",
  "x-accel-buffering",
]);

/** What an answer says, by kind: numbers, times and secrets differ. */
async function shape(response: Response): Promise<unknown> {
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  return {
    status: response.status,
    headers: [...response.headers.keys()].filter((name) => !OTHERS.has(name)).sort(),
    body: type.includes("json") ? shapeOf(JSON.parse(text)) : text,
  };
}

function shapeOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .map(
        ([name, member]) =>
          [name, name === "type" || name === "title" || name === "state" ? member : shapeOf(member)] as const,
      )
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}

/** Everything that is said about one request, from its first answer to its end. */
async function said({ fetch: open, at, backend: openBackend }: Way, queue: string): Promise<unknown[]> {
  const fetch = open(queue);
  using backend = openBackend();
  const answers: unknown[] = [];
  const headers = {
    "usher-visitor": Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url"),
  };
  const order = { method: "POST", headers, body: "one" };
  const first = await fetch(at(`/${queue}`), order);
  answers.push(await shape(first.clone()));
  const document = (await first.json()) as { ticket_url?: string; ticket: { id: string } };
  const ticket = new URL(document.ticket_url ?? first.headers.get("location") ?? "", at("/")).href;
  answers.push(await shape(await fetch(ticket)));
  answers.push(await shape(await fetch(`${ticket}/response`)));
  answers.push(await shape(await fetch(`${ticket}?as_of=999999999`)));
  answers.push(await shape(await fetch(at("/_usher/tickets/nonsense"))));
  answers.push(await shape(await fetch(ticket, { method: "PUT" })));
  await backend.admit(queue, { ticket: document.ticket.id });
  const events = await fetch(ticket, { headers: { accept: "text/event-stream" } });
  const lastOf = async (): Promise<string | undefined> => {
    let last: string | undefined;
    for await (const chunk of events.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      last = chunk.match(/data: (.*)/)?.[1] ?? last;
      if (last?.includes("ADMITTED") && queue === "checkout") return last;
    }
    return last;
  };
  answers.push(events.headers.get("content-type"), shapeOf(JSON.parse((await lastOf()) ?? "null")));
  answers.push(await shape(await fetch(ticket, { redirect: "manual" })));
  if (queue === "orders") answers.push(await shape(await fetch(`${ticket}/response`)));
  const status = (await (await fetch(ticket)).json().catch(() => ({}))) as { pass?: string };
  const pass = status.pass ?? "";
  const second = await fetch(at(`/${queue}?status=201`), {
    ...order,
    headers: { ...headers, "usher-pass": pass },
    body: "two",
  });
  if (queue === "checkout") answers.push(await shape(second));
  else await second.body?.cancel();
  answers.push(await shape(await fetch(ticket, { method: "DELETE" })));
  answers.push(await shape(await fetch(ticket)));
  return [...answers, [...served]];
}

describe("what is said over HTTP", () => {
  it.each(["orders", "checkout"])("of a request for %s is the same in memory", async (queue) => {
    const told = [];
    for (const [, way] of WAYS) {
      served.splice(0);
      told.push(await said(way, queue));
    }
    expect(told[1]).toEqual(told[0]);
    expect(told[0]?.length).toBeGreaterThan(10);
  });

  it.each(["shut", "closed"])("of a refusal by %s is the same in memory", async (queue) => {
    const told = [];
    for (const [, { fetch: open, at }] of WAYS)
      told.push(await shape(await open(queue)(at(`/${queue}`), { method: "POST", body: "x" })));
    expect(told[1]).toEqual(told[0]);
    expect(told[0]).toMatchObject({ status: 503 });
  });
});

describe("fetch that waits, by the clock that is moved", () => {
  const LIMIT = { rate_per_second: 1, max_active: 100 } as const;

  /** An order at a shop whose queue has so many in front. */
  async function orderBehind(kind: "defer" | "pass", ahead: number) {
    const queues = createTestQueues({ shop: { kind, ...LIMIT } });
    // The first of a pass queue is admitted at once; in a defer queue, the first second is for those without tickets.
    for (let at = kind === "pass" ? -1 : 0; at < ahead; at++) await queues.client().issue("shop");
    const statuses: Status[] = [];
    const fetch = createFetch({
      fetch: queues.gateway("shop", inMemory),
      onStatus: (status) => statuses.push(status),
    });
    const order = fetch("http://shop.test/orders?status=201", { method: "POST", body: "two seats" });
    return { queues, order, statuses };
  }

  /** Whether it has been, by now. */
  function answered(order: Promise<unknown>): () => boolean {
    let isAnswered = false;
    void order.then(() => {
      isAnswered = true;
    });
    return () => isAnswered;
  }

  it.each(["defer", "pass"] as const)("is answered at its turn, in a %s queue", async (kind) => {
    const { queues, order, statuses } = await orderBehind(kind, 3);
    const isAnswered = answered(order);
    await queues.advance(2_000);
    expect([isAnswered(), served]).toEqual([false, []]);
    expect(statuses[0]).toMatchObject({ state: "waiting", position: 4 });
    await queues.advance(3_000);
    expect(isAnswered()).toBe(true);
    const response = await order;
    const { status, headers } = response;
    expect([status, headers.get("x-shop"), await response.text()]).toEqual([201, "yes", "order two seats"]);
    expect(served).toEqual(["two seats"]);
    const positions = statuses.flatMap(({ position }) => position ?? []);
    expect(positions).toEqual(positions.toSorted((one, other) => other - one));
  });

  it.each(["defer", "pass"] as const)("goes on over cuts and failures, in a %s queue", async (kind) => {
    const { queues, order } = await orderBehind(kind, 3);
    await queues.advance(0);
    queues.disconnect();
    queues.fail({ call: "fetch" });
    const isAnswered = answered(order);
    await queues.advance(60_000);
    expect(isAnswered()).toBe(true);
    expect(await (await order).text()).toBe("order two seats");
    expect(served).toEqual(["two seats"]);
  });

  it("whose answer is lost is found where it is kept, and is carried out once", async () => {
    const queues = createTestQueues({ shop: { kind: "defer", ...LIMIT, mode: "queue_all" } });
    queues.fail({ call: "fetch", carriedOut: true });
    const fetch = createFetch({ fetch: queues.gateway("shop", inMemory) });
    const order = fetch("http://shop.test/?seats=2", { method: "POST", body: "once" });
    const isAnswered = answered(order);
    await queues.advance(15_000);
    expect(isAnswered()).toBe(true);
    expect(await (await order).text()).toBe("order once");
    expect(served).toEqual(["once"]);
  });

  it("that may have been written down or not is found where it is kept; where it is not, the caller is told", async () => {
    const queues = createTestQueues({ shop: { kind: "defer", ...LIMIT, mode: "queue_all" } });
    const gateway = queues.gateway("shop", inMemory);
    const unknown = { type: "urn:usher:problem:outcome_unknown", detail: "the log has not said" };
    const headers = { "content-type": "application/problem+json", "usher-problem": "outcome_unknown" };
    const isWritten = [true, false];
    const unsure = byClock(clockOf(gateway), async (...[input, init]: Parameters<typeof fetch>) => {
      if (init?.method !== "POST") return gateway(input, init);
      if (isWritten.shift()) await gateway(input, init);
      return new Response(JSON.stringify(unknown), { status: 503, headers });
    });
    const fetching = createFetch({ fetch: unsure });
    const orders = ["kept", "not kept"].map((body) =>
      fetching("http://shop.test/", { method: "POST", body }),
    );
    await queues.advance(15_000);
    const [kept, notKept] = await Promise.all(orders);
    expect(await kept?.text()).toBe("order kept");
    expect([notKept?.status, await notKept?.json()]).toEqual([503, unknown]);
    expect(served).toEqual(["kept"]);
  });

  it("whose answer is lost fails as fetch does where it went straight through, or another has its key", async () => {
    const queues = createTestQueues({ shop: { kind: "defer", ...LIMIT } });
    const fetch = createFetch({ fetch: queues.gateway("shop", inMemory) });
    const headers = { "idempotency-key": "a-key-that-nobody-guesses" };
    const ordered = async (body: string) => {
      const order = fetch("http://shop.test/", { method: "POST", headers, body });
      const settled = order.then((answer) => answer.text()).catch((error: unknown) => error);
      await queues.advance(15_000);
      return settled;
    };
    const lost = { call: "fetch", carriedOut: true } as const;
    queues.fail(lost);
    expect(await ordered("straight")).toBeInstanceOf(TypeError);
    queues.configure("shop", { mode: "queue_all" });
    expect(await ordered("one")).toBe("order one");
    queues.fail(lost);
    expect(await ordered("other")).toBeInstanceOf(TypeError);
    expect(served).toEqual(["straight", "one"]);
  });

  it("goes straight through while nobody waits and the limit allows it", async () => {
    const queues = createTestQueues({ shop: { kind: "defer", rate_per_second: 1 } });
    const shopFetch = queues.gateway("shop", inMemory);
    const order = (body: string) => shopFetch("http://shop.test/", { method: "POST", body });
    expect((await order("one")).status).toBe(200);
    expect((await order("two")).status).toBe(202);
    await queues.advance(1_000);
    expect(served).toEqual(["one", "two"]);
    await queues.advance(1_000);
    expect((await order("three")).status).toBe(200);
  });

  it("is let in by a pass until its ticket ends, and by no other", async () => {
    const queues = createTestQueues({ shop: { kind: "pass", max_active: 1 } });
    const client = queues.client();
    const shopFetch = queues.gateway("shop", inMemory);
    const { id, status } = await client.issue("shop");
    await client.issue("shop");
    const statusWith = async (pass = "") =>
      (await shopFetch("http://shop.test/", { headers: { "usher-pass": pass } })).status;
    expect(await statusWith(status.pass)).toBe(200);
    expect(await statusWith(`${status.pass?.slice(0, -4)}AAAA`)).toBe(429);
    await client.complete(id);
    expect(await statusWith(status.pass)).toBe(429);
  });

  it("leaves the line when it is aborted", async () => {
    const queues = createTestQueues({ shop: { kind: "pass", ...LIMIT, mode: "paused" } });
    const given = new AbortController();
    const fetch = createFetch({ fetch: queues.gateway("shop", inMemory) });
    const order = fetch("http://shop.test/", { signal: given.signal }).catch((error: unknown) => error);
    await queues.advance(1_000);
    expect(await queues.client().queue("shop")).toMatchObject({ waiting: 1 });
    given.abort(new Error("enough"));
    expect(await order).toMatchObject({ message: "enough" });
    expect(await queues.client().queue("shop")).toMatchObject({ waiting: 0 });
  });

  it("tells honestly of a service that broke off, and sends again what it refused", async () => {
    const queues = createTestQueues({ shop: { kind: "defer", ...LIMIT, mode: "queue_all" } });
    const ordered = async (service: () => Response | Promise<Response>) => {
      const fetch = createFetch({ fetch: queues.gateway("shop", service) });
      const order = fetch("http://shop.test/", { method: "POST", body: "x" });
      await queues.advance(30_000);
      return (await order).status;
    };
    let tries = 0;
    expect(await ordered(() => new Response("", { status: ++tries < 3 ? 503 : 200 }))).toBe(200);
    expect(tries).toBe(3);
    expect(await ordered(() => Promise.reject(new Error("gone")))).toBe(504);
  });
});
