// What people and programs meet whose proxy forwards by itself and asks Usher: step by step, with one of the configurations
// of examples/edges before a shop and a real Usher. The same steps for nginx (edges-nginx.test.ts), and by hand for Envoy
// and Traefik (by-hand.ts).

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { request } from "undici";
import { Raw } from "../../support/raw.ts";
import { type Service, startService } from "../../support/service.ts";
import { startUsher, type Usher } from "../../support/usher.ts";

/** One queue, with room for one, and a proxy that asks about `/checkout`. */
export interface Stage {
  /** Where the proxy listens. */
  readonly url: string;
  readonly shop: Service;
  readonly usher: Usher;
}

export function openShop(): Promise<Service> {
  return startService((res, { method, target, body }) => void res.end(`shop: ${method} ${target} ${body}`));
}

export function openUsher(): Promise<Usher> {
  const config = `
trusted_proxies: [127.0.0.1/32]
queues: { checkout: { kind: pass, limit: { max_active: 1 }, max_wait: 10m } }
`;
  return startUsher({ config, demo: true });
}

/** A file of examples/edges as it is, but for the ports. */
export async function readExample(file: string, { shop, usher }: Omit<Stage, "url">): Promise<string> {
  const text = await readFile(resolve(import.meta.dirname, "../../../examples/edges", file), "utf8");
  const [shopPort, usherPort] = [new URL(shop.url).port, `${usher.ports.gateway}`];
  return text
    .replace(/(127\.0\.0\.1:|127\.0\.0\.1, port_value: )8080/g, (_, host) => `${host}${usherPort}`)
    .replace(/(127\.0\.0\.1:|127\.0\.0\.1, port_value: )3000/g, (_, host) => `${host}${shopPort}`);
}

const PAGE = { accept: "text/html", "sec-fetch-mode": "navigate" };

/** A browser: keeps its cookies, and follows nothing. */
class Browser {
  readonly cookies = new Map<string, string>();
  readonly #url: string;

  constructor({ url }: Stage) {
    this.#url = url;
  }

  async ask(
    path: string,
    options: { method?: "GET" | "POST"; body?: string; headers?: Record<string, string> } = {},
  ) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...options.headers, ...(cookie !== "" && { cookie }) };
    const { method = "GET", body = null } = options;
    const answer = await request(`${this.#url}${path}`, { method, headers, body });
    for (const line of [answer.headers["set-cookie"] ?? []].flat()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.cookies.set(name, value);
    }
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
  }

  /** Asks for a page. */
  see(path: string, headers: Record<string, string> = {}) {
    return this.ask(path, { headers: { ...PAGE, ...headers } });
  }
}

const FORGED = "eyJhbGciOiJub25lIn0.e30.";

/** Each goes on from where the one before has ended. */
export const STORY: readonly (readonly [name: string, tell: (stage: Stage) => Promise<void>])[] = [
  ["what needs no queue goes straight through, without what a client says of itself", straightThrough],
  ["people and programs get through one after the other, with one place each", oneAfterTheOther],
  ["a client gets no answer to a question that is the proxy's to ask", nobodyElseAsks],
  ["a pass that somebody made up does not open the way", forgedPasses],
  ["a path that the shop could read as the queue's does not get there unasked", misleadingPaths],
  ["a path that means one thing to all goes its way", plainPaths],
  ["a header that the shop could read as Usher's does not reach it", headersInDisguise],
  ["without Usher nobody gets through to what it protects, and everybody to the rest", withoutUsher],
];

async function straightThrough(stage: Stage): Promise<void> {
  const headers = { "usher-pass": FORGED, "usher-ticket": "77" };
  const { status, text } = await new Browser(stage).ask("/", { headers });
  assert.deepEqual([status, text], [200, "shop: GET / "]);
  const seen = stage.shop.seen.at(-1)?.headers;
  assert.deepEqual([seen?.["usher-pass"], seen?.["usher-ticket"]], [undefined, undefined]);
}

async function oneAfterTheOther(stage: Stage): Promise<void> {
  const { shop, usher } = stage;
  const [ann, bob, program] = [new Browser(stage), new Browser(stage), new Browser(stage)];
  const first = await ann.see("/checkout?seat=1", { "usher-ticket": "77" });
  assert.deepEqual([first.status, first.text], [200, "shop: GET /checkout?seat=1 "]);
  assert.deepEqual([...ann.cookies.keys()].toSorted(), ["usher-pass-checkout", "usher-visitor"]);
  const { headers } = shop.seen.at(-1) ?? {};
  assert.equal(headers?.["usher-pass"], ann.cookies.get("usher-pass-checkout"));
  assert.equal(headers?.["usher-ticket"], "1");
  assert.equal(headers?.["sec-usher-check"], undefined);
  const paid = await ann.ask("/checkout/pay", { method: "POST", body: "card=4" });
  assert.deepEqual([paid.status, paid.text], [200, "shop: POST /checkout/pay card=4"]);

  const page = await bob.see("/checkout?seat=2");
  // To Traefik and Envoy a success would be leave to pass.
  assert.ok(page.status === 202 || page.status === 429, `${page.status}`);
  assert.equal(page.headers["usher-ticket"], "2");
  assert.match(page.text, /<!doctype html>.*\/checkout\?seat=2/s);
  assert.equal((await bob.see("/checkout?seat=2")).headers["usher-ticket"], "2");

  const problem = await program.ask("/checkout/pay", { method: "POST", body: "card=5" });
  assert.deepEqual([problem.status, problem.headers["content-type"]], [429, "application/problem+json"]);
  const { ticket, ticket_url } = JSON.parse(problem.text);
  assert.deepEqual([ticket.number, ticket.position], [3, 2]);
  assert.equal(JSON.parse((await program.ask(ticket_url)).text).ticket.number, 3);
  const stream = await request(`${stage.url}${ticket_url}`, { headers: { accept: "text/event-stream" } });
  for await (const chunk of stream.body) {
    assert.match(`${chunk}`, /"number":3/);
    break;
  }

  const before = shop.seen.length;
  await complete(usher, `checkout:${ticket.id.split(":")[1]}:1`);
  const through = await bob.see("/checkout?seat=2");
  assert.deepEqual([through.status, through.text], [200, "shop: GET /checkout?seat=2 "]);
  assert.equal((await ann.see("/checkout")).status, page.status);
  assert.equal(shop.seen.length, before + 1);
}

async function complete({ gatewayUrl }: Usher, ticketId: string): Promise<void> {
  const { statusCode, body } = await request(`${gatewayUrl}/usher.queue.v1.QueueService/Complete`, {
    ...{ method: "POST", headers: { "content-type": "application/json" } },
    body: JSON.stringify({ ticketId }),
  });
  await body.dump();
  assert.equal(statusCode, 200);
}

async function nobodyElseAsks(stage: Stage): Promise<void> {
  for (const path of ["check?queue=checkout", "check?queue=checkout&deny=401", "wait?queue=checkout"]) {
    const { status, headers } = await new Browser(stage).see(`/_usher/${path}`, { "sec-usher-check": "1" });
    assert.deepEqual([status, headers["usher-pass"], headers["set-cookie"]], [404, undefined, undefined]);
  }
}

async function forgedPasses(stage: Stage): Promise<void> {
  const before = stage.shop.seen.length;
  const thief = new Browser(stage);
  thief.cookies.set("usher-pass-checkout", FORGED);
  assert.notEqual((await thief.see("/checkout")).status, 200);
  const { status } = await new Browser(stage).ask("/checkout", { headers: { "usher-pass": FORGED } });
  assert.equal(status, 429);
  assert.equal(stage.shop.seen.length, before);
}

const MISLEADING = [
  "/checkout/%2e%2e/elsewhere",
  "/checkout/../elsewhere",
  "/elsewhere/%2e%2e/checkout",
  "/elsewhere/..;/checkout",
  "/elsewhere/%2e%2e;x=1/checkout",
  "/elsewhere/..%3bx/checkout",
  "/elsewhere/..%2fcheckout",
  "/elsewhere/..%5Ccheckout",
  "/elsewhere/..\\checkout",
  "/elsewhere/.%252e/checkout",
  "/%2563heckout",
  "/%63heckout",
  "//checkout",
  "/checkout;x=1",
  "/elsewhere#/../checkout",
];

/** Refused, asked about, or sent on in words that have one meaning. */
async function misleadingPaths({ url, shop }: Stage): Promise<void> {
  for (const path of MISLEADING) {
    const before = shop.seen.length;
    const raw = await Raw.open(url);
    raw.send(`GET ${path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`);
    await raw.answer();
    for (const { target } of shop.seen.slice(before)) assert.equal(target, "/elsewhere", path);
  }
}

async function plainPaths(stage: Stage): Promise<void> {
  for (const path of ["/elsewhere?to=/../checkout%2f", "/100%25", "/a.b/..c/.d/e..", "/a%20b/%C3%BC"]) {
    const { status, text } = await new Browser(stage).ask(path);
    assert.deepEqual([status, text], [200, `shop: GET ${path} `]);
  }
}

async function headersInDisguise(stage: Stage): Promise<void> {
  for (const name of ["Usher_Pass", "Usher_Ticket"]) {
    const before = stage.shop.seen.length;
    await new Browser(stage).ask("/elsewhere", { headers: { [name]: "1" } });
    for (const { headers } of stage.shop.seen.slice(before))
      assert.equal(headers[name.toLowerCase()], undefined);
  }
}

async function withoutUsher(stage: Stage): Promise<void> {
  await stage.usher.kill();
  const before = stage.shop.seen.length;
  const { status } = await new Browser(stage).see("/checkout");
  assert.ok(status >= 500, `${status}`);
  assert.equal(stage.shop.seen.length, before);
  assert.equal((await new Browser(stage).see("/")).status, 200);
}
