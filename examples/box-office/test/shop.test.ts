// The shop over real sockets: what it sells, what it can take, and what it writes down.

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { request } from "undici";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RequestLine, ShopLine } from "../src/lines.ts";
import { type ShopSettings, shopDefaults } from "../src/shop/settings.ts";
import { Shop } from "../src/shop/shop.ts";

const program = join(import.meta.dirname, "../src/shop/main.ts");
let directory: string;
let log: string;
let shop: Shop | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "box-office-shop-"));
  log = join(directory, "shop.ndjson");
});

afterEach(async () => {
  await shop?.close();
  shop = undefined;
  rmSync(directory, { recursive: true, force: true });
});

/** A quick shop: four workers, 20 ms a purchase, no jitter. */
async function open(change: Partial<ShopSettings> = {}): Promise<string> {
  const settings = { ...shopDefaults, workers: 4, work_ms: 20, jitter: 0, contention: 0, ...change };
  shop = await Shop.open(settings, { host: "127.0.0.1", port: 0, log });
  return shop.url;
}

interface Sale {
  readonly purchase: string;
  readonly seats: number[];
}

function buy(url: string, order: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/api/purchases`, { method: "POST", body: JSON.stringify(order), headers });
}

async function sold(answer: Response): Promise<Sale> {
  expect(answer.status).toBe(201);
  return (await answer.json()) as Sale;
}

function lines(): ShopLine[] {
  const parts = readFileSync(log, "utf8").trim().split("\n");
  return parts.map((part): ShopLine => JSON.parse(part));
}

function requests(): RequestLine[] {
  return lines().filter((line) => line.kind === "request");
}

async function crowd(url: string, size: number): Promise<Map<number, number>> {
  const orders = Array.from({ length: size }, (_, index) => buy(url, { buyer: `b${index}`, seats: 1 }));
  const statuses = await Promise.all(orders.map(async (order) => (await order).status));
  return new Map([...Map.groupBy(statuses, (status) => status)].map(([status, all]) => [status, all.length]));
}

describe("a shop", () => {
  test("tells its show and the seats that are left", async () => {
    const url = await open({ seats: 10 });
    await sold(await buy(url, { buyer: "Ada", seats: 3 }));
    const answer = await fetch(`${url}/api/show`);
    expect(await answer.json()).toEqual({
      show: expect.any(String),
      seats: { total: 10, sold: 3, left: 7 },
    });
  });

  test("sells each seat once, and then is sold out", async () => {
    const url = await open({ seats: 30 });
    const answers = await Promise.all(
      Array.from({ length: 25 }, (_, index) => buy(url, { buyer: `b${index}`, seats: 2 })),
    );
    const sales = await Promise.all(answers.filter(({ status }) => status === 201).map(sold));
    expect(sales.flatMap(({ seats }) => seats).toSorted((one, other) => one - other)).toEqual(
      Array.from({ length: 30 }, (_, index) => index + 1),
    );
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(10);
    expect((await buy(url, { buyer: "late", seats: 1 })).status).toBe(409);
  });

  test("refuses more seats than are left, and sells the rest", async () => {
    const url = await open({ seats: 3 });
    expect((await buy(url, { buyer: "many", seats: 4 })).status).toBe(409);
    expect((await sold(await buy(url, { buyer: "few", seats: 3 }))).seats).toEqual([1, 2, 3]);
  });

  test.each([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["null", "null"],
    ["no buyer", '{"seats":1}'],
    ["an empty buyer", '{"buyer":"","seats":1}'],
    ["a buyer too long", JSON.stringify({ buyer: "x".repeat(101), seats: 1 })],
    ["no seats", '{"buyer":"a"}'],
    ["no seat", '{"buyer":"a","seats":0}'],
    ["half a seat", '{"buyer":"a","seats":1.5}'],
    ["eleven seats", '{"buyer":"a","seats":11}'],
    ["seats in words", '{"buyer":"a","seats":"two"}'],
  ])("answers 400 to an order with %s, and sells nothing", async (_what, body) => {
    const url = await open();
    const answer = await fetch(`${url}/api/purchases`, { method: "POST", body });
    expect(answer.status).toBe(400);
    expect((await sold(await buy(url, { buyer: "a", seats: 1 }))).seats).toEqual([1]);
  });

  test("answers 413 to a body beyond its limit, declared or not", async () => {
    const url = await open();
    const body = new Uint8Array(10_000);
    expect((await fetch(`${url}/api/purchases`, { method: "POST", body })).status).toBe(413);
    const undeclared = await request(`${url}/api/purchases`, { method: "POST", body: Readable.from([body]) });
    expect(undeclared.statusCode).toBe(413);
    await undeclared.body.dump();
  });

  test("tells whoever comes backstage the number of the ticket that Usher let through", async () => {
    const url = await open();
    const ask = async (headers: Record<string, string>) =>
      (await fetch(`${url}/backstage`, { headers })).json();
    const show = "The Last Night";
    expect(await ask({ "usher-ticket": "7" })).toEqual({ show, backstage: true, ticket: 7 });
    expect(await ask({})).toEqual({ show, backstage: true, ticket: null });
  });

  test("shows the same to a browser as a page", async () => {
    const url = await open();
    const ask = (headers: Record<string, string>) =>
      fetch(`${url}/backstage`, { headers: { accept: "text/html,*/*;q=0.8", ...headers } });
    const page = await ask({ "usher-ticket": "7" });
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(await page.text()).toContain("You are in, with ticket 7.");
    expect(await (await ask({})).text()).toContain("You came without a ticket.");
  });

  test("answers 404 and 405 to what it does not have", async () => {
    const url = await open();
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/api/purchases`)).status).toBe(405);
    expect((await fetch(`${url}/api/show`, { method: "POST" })).status).toBe(405);
    expect((await fetch(url)).headers.get("content-type")).toContain("text/html");
  });
});

describe("a crowd", () => {
  test("that fits the workers and the line is served, however long it takes", async () => {
    const url = await open({ waiting_max: 46 });
    expect(await crowd(url, 50)).toEqual(new Map([[201, 50]]));
    expect(Math.max(...requests().map(({ in_flight }) => in_flight))).toBeLessThanOrEqual(50);
  });

  test("beyond the line is answered 503 at once", async () => {
    const url = await open({ work_ms: 1_000, waiting_max: 6 });
    const answers = await crowd(url, 50);
    expect(answers.get(201)).toBe(10);
    expect(answers.get(503)).toBe(40);
  });

  test("that waits too long is answered 504", async () => {
    const url = await open({ work_ms: 1_000, patience_ms: 200 });
    const answers = await crowd(url, 12);
    expect(answers).toEqual(
      new Map([
        [201, 4],
        [504, 8],
      ]),
    );
  });

  test("makes everything slower, so that fewer are served in time than could be", async () => {
    const served = async (contention: number): Promise<number> => {
      const url = await open({ work_ms: 20, patience_ms: 250, contention });
      const answers = await crowd(url, 60);
      await shop?.close();
      return answers.get(201) ?? 0;
    };
    const calm = await served(0);
    const crowded = await served(2);
    expect(crowded).toBeLessThan(calm / 2);
  });

  test("that hangs up while it waits is not served", async () => {
    const url = await open({ workers: 1, work_ms: 300 });
    const first = buy(url, { buyer: "first", seats: 1 });
    while (shop!.inFlight < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    const gone = new AbortController();
    const second = fetch(`${url}/api/purchases`, {
      method: "POST",
      body: JSON.stringify({ buyer: "second", seats: 1 }),
      signal: gone.signal,
    });
    while (shop!.inFlight < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    gone.abort();
    await expect(second).rejects.toThrow();
    await sold(await first);
    const third = await sold(await buy(url, { buyer: "third", seats: 1 }));
    expect(third.seats).toEqual([2]);
    expect(requests().find(({ buyer }) => buyer === "second")).toMatchObject({ status: 499, purchase: null });
  });
});

describe("an Idempotency-Key", () => {
  const key = { "idempotency-key": "0123456789abcdef0123456789abcdef" };

  test("gets the same purchase again, in flight and afterwards, where the shop honours it", async () => {
    const url = await open({ idempotent: true });
    const order = { buyer: "Ada", seats: 2 };
    const both = await Promise.all([buy(url, order, key), buy(url, order, key)]);
    const [one, two] = await Promise.all(both.map(sold));
    const three = await sold(await buy(url, order, key));
    expect([two, three]).toEqual([one, one]);
    expect((await sold(await buy(url, order))).seats).toEqual([3, 4]);
    expect(
      requests()
        .map(({ replay }) => replay)
        .sort(),
    ).toEqual([false, false, true, true]);
  });

  test("is forgotten with the seats when all are up for sale again", async () => {
    const url = await open({ idempotent: true });
    const order = { buyer: "Ada", seats: 2 };
    const one = await sold(await buy(url, order, key));
    shop!.restock();
    const two = await sold(await buy(url, order, key));
    expect(two.purchase).not.toBe(one.purchase);
    expect(two.seats).toEqual([1, 2]);
  });

  test("is refused with another order, where the shop honours it", async () => {
    const url = await open({ idempotent: true });
    await sold(await buy(url, { buyer: "Ada", seats: 2 }, key));
    expect((await buy(url, { buyer: "Ada", seats: 3 }, key)).status).toBe(422);
  });

  test("is tried again after a refusal, where the shop honours it", async () => {
    const url = await open({ idempotent: true, workers: 1, work_ms: 200, waiting_max: 0 });
    const other = buy(url, { buyer: "first", seats: 1 });
    while (shop!.inFlight < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await buy(url, { buyer: "Ada", seats: 1 }, key)).status).toBe(503);
    await other;
    await sold(await buy(url, { buyer: "Ada", seats: 1 }, key));
  });

  test("buys again where the shop does not honour it", async () => {
    const url = await open();
    const one = await sold(await buy(url, { buyer: "Ada", seats: 1 }, key));
    const two = await sold(await buy(url, { buyer: "Ada", seats: 1 }, key));
    expect(two).not.toEqual(one);
  });
});

describe("the shop's file", () => {
  test("tells of a request with what it brought and what it got before its buyer has the answer", async () => {
    const url = await open();
    const headers = { "idempotency-key": "k1", "usher-ticket": "17" };
    const { purchase } = await sold(await buy(url, { buyer: "Ada", seats: 1 }, headers));
    expect(requests()).toEqual([
      {
        line: 2,
        kind: "request",
        request: 1,
        arrived_ms: expect.any(Number),
        ended_ms: expect.any(Number),
        in_flight: 1,
        in_flight_max: 1,
        door: 1,
        method: "POST",
        path: "/api/purchases",
        key: "k1",
        ticket: 17,
        buyer: "Ada",
        status: 201,
        purchase,
        seats: [1],
        replay: false,
      },
    ]);
  });

  test("tells by which door each request came", async () => {
    shop = await Shop.open(shopDefaults, { host: "127.0.0.1", port: 0, doors: 3, log });
    expect(new Set(shop.urls).size).toBe(3);
    for (const url of shop.urls.toReversed()) await fetch(`${url}/api/show`);
    expect(requests().map(({ request, door }) => [request, door])).toEqual([
      [1, 3],
      [2, 2],
      [3, 1],
    ]);
  });

  test("has a request's end before its buyer has the answer", async () => {
    const url = await open();
    for (let buyer = 0; buyer < 20; buyer++) {
      await buy(url, { buyer: `b${buyer}`, seats: 1 });
      expect(shop!.inFlight).toBe(0);
    }
    expect(requests().every(({ in_flight }) => in_flight === 1)).toBe(true);
  });

  test.each(["0", "-1", "1e3", "abc", "01", "99999999999"])("takes no ticket from %j", async (ticket) => {
    const url = await open();
    await buy(url, { buyer: "Ada", seats: 1 }, { "usher-ticket": ticket });
    expect(requests()[0]!.ticket).toBeNull();
  });

  test("is closed with its end when the program is asked to end, and tells of those still in flight", async () => {
    const options = ["--port", "0", "--host", "127.0.0.1", "--log", log, "--work-ms", "60000"];
    const child = fork(program, options, { stdio: "ignore", execArgv: [] });
    const [{ urls }] = (await once(child, "message")) as [{ urls: string[] }];
    const [url = ""] = urls;
    await fetch(`${url}/api/show`);
    const answer = buy(url, { buyer: "Ada", seats: 1 });
    await fetch(`${url}/api/show`);
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await expect(answer).rejects.toThrow();
    expect(await exited).toEqual([0, null]);
    const written = lines();
    expect(written.map(({ kind }) => kind)).toEqual(["start", "request", "request", "request", "end"]);
    expect(written.at(-2)).toMatchObject({ status: null, ended_ms: null });
  });

  test("is left alone by a second shop that finds its port taken", async () => {
    const url = await open();
    await buy(url, { buyer: "Ada", seats: 1 });
    const before = readFileSync(log, "utf8");
    const { port } = new URL(url);
    const options = ["--port", port, "--host", "127.0.0.1", "--log", log];
    const child = fork(program, options, { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [] });
    const [said, [code]] = await Promise.all([text(child.stderr!), once(child, "exit")]);
    expect(said).toBe(`box office: port ${port} is in use\n`);
    expect(code).toBe(1);
    expect(readFileSync(log, "utf8")).toBe(before);
  });

  test("counts down who left before the whole order had come", async () => {
    const url = await open();
    const { port } = new URL(url);
    const socket = connect(Number(port), "127.0.0.1");
    socket.write("POST /api/purchases HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{");
    while (shop!.inFlight < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    socket.destroy();
    while (shop!.inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(requests()[0]).toMatchObject({ status: 499, purchase: null });
  });
});
