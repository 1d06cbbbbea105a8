// Routes as docs/routes.md has them, tried on the program: what goes where, who has to wait, what is stored, and what
// holders are told.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Raw } from "../support/raw.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";

let shop: Service;
let usher: Usher;

beforeAll(async () => {
  shop = await startService((res, { body }) => {
    if (body === "stuck") return;
    if (body === "refused") res.writeHead(503, { "retry-after": "0" }).end();
    else if (body === "large")
      res
        .writeHead(200, { "content-encoding": "gzip", etag: '"1"', "content-type": "text/plain" })
        .end("x".repeat(2_000));
    else res.end(`done: ${body}`);
  });
  usher = await startUsher({
    config: `
services: { shop: { url: ${shop.url} } }
queues:
  orders: { kind: defer, mode: queue_all, limit: { max_active: 10 }, max_wait: 10m, attempts: 2 }
  slow:   { kind: defer, mode: queue_all, limit: { rate_per_second: 2 }, max_wait: 10m }
  paused: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 10m }
routes:
  - { match: { path: /*, headers: { x-internal: s3cret }, cookies: { preview: false } }, service: shop }
  - { match: { path: /*, cookies: { vip: "1" } }, service: shop }
  - { match: POST /orders, service: shop, queue: orders, hold: 0s }
  - { match: POST /orders/brief, service: shop, queue: orders, hold: 0s, timeout: 200ms, response_bytes: 1000 }
  - { match: POST /orders/bare, service: shop, queue: orders, hold: 0s, store_headers: [X-Kept] }
  - { match: POST /orders/lean, service: shop, queue: orders, hold: 0s, drop_headers: [x-dropped, cookie] }
  - { match: POST /slow, service: shop, queue: slow, hold: 0s }
  - { match: POST /slow/hurry, service: shop, queue: slow, hold: 0s, max_wait: 1s }
  - { match: POST /paused/hurry, service: shop, queue: paused, hold: 0s, max_wait: 1s }
  - { match: POST /held, service: shop, queue: orders, hold: 30s }
  - { match: POST /paused, service: shop, queue: paused, hold: 30s }
  - { match: /*, service: shop }
`,
  });
});
afterAll(async () => {
  await usher?.stop();
  await shop?.stop();
});

function post(path: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${usher.gatewayUrl}${path}`, { method: "POST", body, headers, redirect: "manual" });
}

/** What the holder of a ticket is told at the end, and on the way there. */
async function endOf(location: string): Promise<{ last: Response; text: string; answers: Response[] }> {
  const answers: Response[] = [];
  const get = async (path: string): Promise<Response> => {
    const response = await fetch(new URL(path, usher.gatewayUrl), { redirect: "manual" });
    answers.push(response);
    return response;
  };
  const found = await eventually(async () => {
    const response = await get(location);
    if (response.status === 200) throw new Error(`still waiting: ${await response.text()}`);
    return response;
  });
  const last = found.status === 303 ? await get(found.headers.get("location") ?? "") : found;
  return { last, text: await last.text(), answers };
}

/** What the shop got for a body. */
function gotFor(body: string) {
  const found = shop.seen.filter((seen) => seen.body === body);
  expect(found.length).toBeGreaterThan(0);
  return found[0]!;
}

describe("a request goes", () => {
  test.each([
    ["by its method and path, to the queue", {}, 202],
    ["by a header, straight through", { "x-internal": "s3cret" }, 200],
    ["not by a header that is almost the same", { "x-internal": "s3cret " + "x" }, 202],
    ["not by a header where a cookie must not be", { "x-internal": "s3cret", cookie: "a=b; preview=1" }, 202],
    ["by a cookie, straight through", { cookie: "a=b; vip=1" }, 200],
    ["not by a cookie with another value", { cookie: "vip=2" }, 202],
    ["not by a cookie inside another's value", { cookie: "a=vip=1" }, 202],
  ])("%s", async (_, headers, status) => {
    const response = await post("/orders", "x", headers);
    await response.arrayBuffer();
    expect(response.status).toBe(status);
  });

  test.each([
    "/orders",
    "/orders?a=1",
    "/%6Frders",
    "/%256frders",
    "/orders/",
    "/Orders",
    "/orders;v=1",
    "/orders%3Bv=1",
  ])("to the queue as %s, and is forwarded as it came", async (target) => {
    const body = `to ${target}`;
    const raw = await Raw.open(usher.gatewayUrl);
    raw.send(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const answer = await raw.answer();
    raw.socket.destroy();
    expect(answer.status).toBe(202);
    await endOf(answer.headers.get("location") ?? "");
    expect(gotFor(body).target).toBe(target);
  });

  test("nowhere as a path that can be read as another", async () => {
    for (const target of [
      ...["//orders", "/x/../orders", "/%2e%2e/orders", "/a%2f..%2forders", "/..;/orders"],
      ...["/x/%252e%252e/orders", "/orders;a%252fb"],
    ]) {
      const before = shop.seen.length;
      const raw = await Raw.open(usher.gatewayUrl);
      raw.send(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
      expect([target, (await raw.answer()).status]).toEqual([target, 400]);
      raw.socket.destroy();
      expect(shop.seen).toHaveLength(before);
    }
  });
});

describe("who has to wait", () => {
  test("longer than the route allows is refused at once, told how long, and nothing is stored", async () => {
    const tickets = await Promise.all(Array.from({ length: 40 }, (_, n) => post("/slow", `slow ${n}`)));
    const last = tickets.at(-1)?.headers.get("location") ?? "";
    await eventually(async () => {
      const status = await (await fetch(new URL(last, usher.gatewayUrl))).text();
      expect(status).toContain("waitP50");
    });
    const refused = await post("/slow/hurry", "hurry");
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.headers.get("location")).toBeNull();
    expect(await refused.json()).toMatchObject({
      type: "urn:usher:problem:wait_too_long",
      detail: expect.stringMatching(
        /^the wait would be about \d+ s, and requests such as this may wait 1 s; nothing/,
      ),
      queue: "slow",
      waitP50: expect.stringMatching(/^\d+s$/),
      maxWait: "1s",
    });
    const next = await post("/slow", "slow too");
    expect(next.headers.get("usher-ticket")).toBe("41");
    await next.arrayBuffer();
  });

  test("nobody knows how long has a ticket", async () => {
    const response = await post("/paused/hurry", "x");
    expect(response.status).toBe(202);
    await response.arrayBuffer();
  });

  test("is answered at once, or later, as the client prefers", async () => {
    const held = await post("/held", "held");
    expect([held.status, await held.text()]).toEqual([200, "done: held"]);
    expect(held.headers.get("preference-applied")).toBeNull();
    const patient = await post("/orders", "patient", { prefer: "wait=20" });
    expect([patient.status, await patient.text()]).toEqual([200, "done: patient"]);
    expect(patient.headers.get("preference-applied")).toBe("wait=20");
    const async = await post("/paused", "async", { prefer: "respond-async" });
    expect([async.status, async.headers.get("preference-applied")]).toEqual([202, "respond-async"]);
    await async.arrayBuffer();
  });
});

describe("of a request that waits", () => {
  const headers = {
    ...{ "content-type": "text/x", "idempotency-key": "a-key-of-22-characters-and-more" },
    ...{ authorization: "Bearer s3cret", cookie: "a=b", "x-kept": "1", "x-dropped": "2" },
  };

  test("all end-to-end headers are stored, where the route says nothing", async () => {
    await endOf((await post("/orders", "all", headers)).headers.get("location") ?? "");
    expect(gotFor("all").headers).toMatchObject(headers);
  });

  test("those that the route drops are not", async () => {
    const lean = { ...headers, "idempotency-key": `${headers["idempotency-key"]}-lean` };
    await endOf((await post("/orders/lean", "lean", lean)).headers.get("location") ?? "");
    const { "x-dropped": _, cookie: __, ...kept } = lean;
    expect(gotFor("lean").headers).toMatchObject(kept);
    for (const name of ["x-dropped", "cookie"]) expect(gotFor("lean").headers).not.toHaveProperty(name);
  });

  test("those alone that the route stores are, and what the body and the service cannot do without", async () => {
    const bare = { ...headers, "idempotency-key": `${headers["idempotency-key"]}-bare` };
    await endOf((await post("/orders/bare", "bare", bare)).headers.get("location") ?? "");
    const got = gotFor("bare").headers;
    expect(got).toMatchObject({
      "x-kept": "1",
      "content-type": "text/x",
      "idempotency-key": bare["idempotency-key"],
      "x-forwarded-for": "127.0.0.1",
    });
    for (const name of ["x-dropped", "cookie", "authorization"]) expect(got).not.toHaveProperty(name);
  });
});

describe("the key that the service was given is told", () => {
  const keysOf = (answers: readonly Response[]): Set<string | null> =>
    new Set(answers.map(({ headers }) => headers.get("usher-idempotency-key")));

  test.each([
    ["answered", "/orders", 200],
    ["stuck", "/orders/brief", 504],
    ["refused", "/orders", 502],
  ])("with the ticket and the end of a request that is %s", async (body, path, status) => {
    const accepted = await post(path, body);
    const { last, answers } = await endOf(accepted.headers.get("location") ?? "");
    expect(last.status).toBe(status);
    const key = gotFor(body).headers["idempotency-key"];
    expect(key).toMatch(/^.{22,}$/);
    expect(keysOf([accepted, ...answers])).toEqual(new Set([key]));
  });

  test("where it is the client's own, too", async () => {
    const key = "another-key-of-22-characters-and-more";
    const accepted = await post("/orders", "own", { "idempotency-key": key });
    const { answers } = await endOf(accepted.headers.get("location") ?? "");
    expect(keysOf([accepted, ...answers])).toEqual(new Set([key]));
  });
});

test("a refusal that was the last is told, with how often the service was asked", async () => {
  const { last, text } = await endOf((await post("/orders", "refused")).headers.get("location") ?? "");
  expect(last.status).toBe(502);
  expect(JSON.parse(text)).toMatchObject({ attempts: 2, lastStatus: 503 });
});

test("of an answer that is too large the status and the headers are kept, and that the body is not is said", async () => {
  const { last, text } = await endOf((await post("/orders/brief", "large")).headers.get("location") ?? "");
  expect([last.status, text]).toEqual([200, ""]);
  const told = ["etag", "content-type", "content-length", "content-encoding", "usher-body-dropped"];
  expect(told.map((name) => last.headers.get(name))).toEqual([
    ...['"1"', "text/plain", "0", null, "more than 1000 bytes"],
  ]);
});
