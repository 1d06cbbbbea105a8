// `GET /_usher/requests`: whoever has lost the answer to a request asks whether it is kept, and nothing is sent twice.

import { createHash } from "node:crypto";
import { LogError, MemoryStore } from "@usher/ticket-log";
import { describe, expect, test, vi } from "vitest";
import * as defer from "./support/defer-queue.ts";
import * as pass from "./support/pass-queue.ts";
import { openHttp } from "./support/service.ts";

const KEY = "a-key-of-22-characters-or-more";
const ORDER = { method: "POST", target: "/orders?seat=1", body: "two seats" };

/** A gateway whose requests wait, or go straight through, and what reached the service. */
async function open(mode: "paused" | "auto" = "paused") {
  const seen: string[] = [];
  const service = await openHttp((req, res) => {
    seen.push(`${req.method} ${req.url}`);
    res.end("sold");
  });
  const node = await defer.openNode({ store: new MemoryStore(), name: "a", service, nodes: 1 });
  await defer.configure(node, { mode }, 1);
  return { node, seen };
}

type Order = typeof ORDER;
type Headers = Readonly<Record<string, string>>;
type At = Pick<defer.Node, "gateway">;

function order({ gateway }: At, headers: Headers = { "idempotency-key": KEY }): Promise<Response> {
  return fetch(`${gateway.url}${ORDER.target}`, { method: ORDER.method, body: ORDER.body, headers });
}

/** Asks whether it is kept. */
function ask(
  { gateway }: At,
  headers: Headers = { "idempotency-key": KEY },
  { method, target, body }: Order = ORDER,
  how = "GET",
): Promise<Response> {
  const digest = createHash("sha256").update(body).digest("hex");
  return fetch(`${gateway.url}/_usher/requests`, {
    method: how,
    headers: { "usher-request": `${method} ${target} ${digest}`, ...headers },
  });
}

/** Status, and a problem's reason or a ticket's number. */
async function told(asked: Promise<Response>): Promise<unknown[]> {
  const response = await asked;
  const { type, ticket } = (await response.json()) as { type?: string; ticket?: { number: number } };
  return [response.status, ticket?.number ?? type?.replace("urn:usher:problem:", "")];
}

const UNKNOWN = [404, "key_unknown"];

describe("a request that is kept", () => {
  test("is told with its ticket, by its key, its target and its body, and goes nowhere by that", async () => {
    const { node, seen } = await open();
    await order(node, { "idempotency-key": "another-key-of-22-characters" });
    await order(node);
    const answer = await ask(node);
    expect(answer.status).toBe(202);
    expect(answer.headers.get("usher-idempotency-key")).toBe(KEY);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const location = answer.headers.get("location") ?? "";
    expect(await told(fetch(`${node.gateway.url}${location}`))).toEqual([200, 2]);
    expect((await ask(node, undefined, ORDER, "HEAD")).headers.get("usher-ticket")).toBe("2");
    expect(node.replica.fold.queue(defer.QUEUE)?.lastNumber).toBe(2);
    expect(seen).toEqual([]);
  });

  test("is told when it has been answered, too", async () => {
    const { node, seen } = await open();
    await order(node);
    await defer.configure(node, { mode: "auto" }, 2);
    await vi.waitFor(async () => {
      const { headers } = await ask(node);
      const at = await fetch(`${node.gateway.url}${headers.get("location")}`);
      expect(await at.text()).toBe("sold");
    });
    expect(seen).toEqual(["POST /orders?seat=1"]);
  });

  test.each([
    ["another body", { ...ORDER, body: "three seats" }],
    ["another target", { ...ORDER, target: "/orders?seat=2" }],
    ["another method", { ...ORDER, method: "PUT" }],
  ])("is not told to who knows its key and names %s", async (_, other) => {
    const { node } = await open();
    await order(node);
    expect(await told(ask(node, undefined, other))).toEqual([422, "key_reused"]);
  });

  test("is told to nobody else who has the key, where it came with credentials", async () => {
    const { node } = await open();
    const ann = { "idempotency-key": KEY, authorization: "Bearer ann" };
    await order(node, ann);
    expect(await told(ask(node))).toEqual(UNKNOWN);
    expect(await told(ask(node, { ...ann, authorization: "Bearer bob" }))).toEqual(UNKNOWN);
    expect(await told(ask(node, { ...ann, "usher-api-key": "x" }))).toEqual([401, "api_key_invalid"]);
    expect(await told(ask(node, ann))).toEqual([202, 1]);
  });

  test("is not denied by a node that cannot read what is stored", async () => {
    const store = new MemoryStore({ shared: true });
    const service = await openHttp((_, res) => res.end());
    const [a, b] = [
      await defer.openNode({ store, name: "a", service }),
      await defer.openNode({ store, name: "b", service }),
    ];
    await defer.configure(a, { mode: "paused" }, 1);
    await order(a);
    await vi.waitFor(() => expect(b.replica.fold.queue(defer.QUEUE)?.lastNumber).toBe(1));
    expect(await told(ask(b))).toEqual([202, 1]);
    vi.spyOn(b.log, "getPayload").mockRejectedValue(new LogError("overloaded", "too many"));
    expect((await ask(b)).status).toBe(503);
  });
});

describe("no ticket has the key", () => {
  test("of what went straight through, and of what never came", async () => {
    const { node, seen } = await open("auto");
    expect((await order(node)).status).toBe(200);
    expect(await told(ask(node))).toEqual(UNKNOWN);
    expect(await told(ask(node, { "idempotency-key": "another-key-of-22-characters" }))).toEqual(UNKNOWN);
    expect(seen).toHaveLength(1);
  });

  test("where it is none that a ticket could have", async () => {
    const { node } = await open();
    await order(node, { "idempotency-key": "short" });
    expect(await told(ask(node, { "idempotency-key": "short" }))).toEqual(UNKNOWN);
    expect(await told(ask(node, {}))).toEqual(UNKNOWN);
  });

  test("in a queue of people, where requests are not kept", async () => {
    const shop = await pass.openShop();
    const node = await pass.openNode({ service: shop.port });
    await pass.configure(node, { mode: "paused" });
    expect((await order(node)).status).toBe(429);
    expect(await told(ask(node))).toEqual(UNKNOWN);
  });

  test("of another queue's", async () => {
    const { node } = await open();
    const store = new MemoryStore();
    const service = await openHttp((_, res) => res.end());
    const other = await defer.openNode({ store, name: "b", service, nodes: 1, route: { path: "/else" } });
    await defer.configure(other, { mode: "paused" }, 1);
    await order(node);
    expect(await told(ask(other))).toEqual(UNKNOWN);
  });
});

test("a node that cannot follow the log does not say that there is no ticket", async () => {
  const { node } = await open();
  await order(node);
  vi.spyOn(node.replica, "ready", "get").mockReturnValue(false);
  expect(await told(ask(node))).toEqual([202, 1]);
  expect(await told(ask(node, { "idempotency-key": "another-key-of-22-characters" }))).toEqual([
    503,
    "not_ready",
  ]);
});

test.each([
  ["", "request_malformed"],
  ["POST /orders", "request_malformed"],
  ["POST /orders 12ab", "request_malformed"],
  [`TRACE /orders ${"0".repeat(64)}`, "method_refused"],
  [`POST //else/orders ${"0".repeat(64)}`, "target_not_path"],
  [`POST /a/%2e%2e/b ${"0".repeat(64)}`, "target_ambiguous"],
])("a question that names no request is refused: %j", async (said, reason) => {
  const { node } = await open();
  const asked = ask(node, { "idempotency-key": KEY, "usher-request": said });
  expect((await told(asked))[1]).toBe(reason);
});

test("nothing is sent there", async () => {
  const { node, seen } = await open("auto");
  const answer = await ask(node, undefined, ORDER, "POST");
  expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  expect(seen).toEqual([]);
});
