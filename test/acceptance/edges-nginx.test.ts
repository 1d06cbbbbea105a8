// examples/edges/nginx.conf, run by a real nginx: what people and programs meet whose proxy asks Usher.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Nginx, startNginx } from "../support/nginx.ts";
import { Raw } from "../support/raw.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const EXAMPLE = resolve(import.meta.dirname, "../../examples/edges/nginx.conf");
const PAGE = { accept: "text/html", "sec-fetch-mode": "navigate" };

let shop: Service;
let usher: Usher;
let nginx: Nginx;

beforeAll(async () => {
  shop = await startService(
    (res, { method, target, body }) => void res.end(`shop: ${method} ${target} ${body}`),
  );
  usher = await startUsher({
    config: `
trusted_proxies: [127.0.0.1/32]
queues: { checkout: { kind: pass, limit: { max_active: 1 }, max_wait: 10m } }
`,
    demo: true,
  });
  nginx = await startExample();
});
afterAll(async () => {
  await nginx?.stop();
  await usher?.stop();
  await shop?.stop();
});

/** With the example as it is, but for the ports. */
async function startExample(): Promise<Nginx> {
  const example = await readFile(EXAMPLE, "utf8");
  return startNginx((port) =>
    example
      .replace("127.0.0.1:8080", `127.0.0.1:${usher.ports.gateway}`)
      .replace("127.0.0.1:3000", new URL(shop.url).host)
      .replace("listen 8000", `listen 127.0.0.1:${port}`),
  );
}

/** A browser: keeps its cookies, and follows nothing. */
class Browser {
  readonly cookies = new Map<string, string>();

  async ask(
    path: string,
    options: { method?: "GET" | "POST"; body?: string; headers?: Record<string, string> } = {},
  ) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...options.headers, ...(cookie !== "" && { cookie }) };
    const { method = "GET", body = null } = options;
    const answer = await request(`${nginx.url}${path}`, { method, headers, body });
    for (const line of [answer.headers["set-cookie"] ?? []].flat()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.cookies.set(name, value);
    }
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
  }
}

test("people and programs get through nginx one after the other, with one place each", async () => {
  const [ann, bob, program] = [new Browser(), new Browser(), new Browser()];

  expect((await ann.ask("/")).text).toBe("shop: GET / ");
  const first = await ann.ask("/checkout?seat=1", { headers: { ...PAGE, "usher-ticket": "77" } });
  expect([first.status, first.text]).toEqual([200, "shop: GET /checkout?seat=1 "]);
  expect([...ann.cookies.keys()].toSorted()).toEqual(["usher-pass-checkout", "usher-visitor"]);
  const { headers } = shop.seen.at(-1) ?? {};
  expect(headers?.["usher-pass"]).toBe(ann.cookies.get("usher-pass-checkout"));
  expect(headers?.["usher-ticket"]).toBe("1");
  const paid = await ann.ask("/checkout/pay", { method: "POST", body: "card=4" });
  expect([paid.status, paid.text]).toEqual([200, "shop: POST /checkout/pay card=4"]);

  const page = await bob.ask("/checkout?seat=2", { headers: PAGE });
  expect([page.status, page.headers["usher-ticket"]]).toEqual([202, "2"]);
  expect(page.text).toContain("/checkout?seat=2");
  expect((await bob.ask("/checkout?seat=2", { headers: PAGE })).headers["usher-ticket"]).toBe("2");

  const problem = await program.ask("/checkout/pay", { method: "POST", body: "card=5" });
  expect([problem.status, problem.headers["content-type"]]).toEqual([429, "application/problem+json"]);
  const { ticket, ticket_url } = JSON.parse(problem.text);
  expect(ticket).toMatchObject({ number: 3, position: 2 });
  expect(JSON.parse((await program.ask(ticket_url)).text)).toMatchObject({ ticket: { number: 3 } });

  const before = shop.seen.length;
  await usherCalls("Complete", { ticketId: `checkout:${ticket.id.split(":")[1]}:1` });
  const through = await bob.ask("/checkout?seat=2", { headers: PAGE });
  expect([through.status, through.text]).toEqual([200, "shop: GET /checkout?seat=2 "]);
  expect((await ann.ask("/checkout", { headers: PAGE })).status).toBe(202);
  expect(shop.seen.length).toBe(before + 1);
});

test.each([
  "/_usher/check?queue=checkout",
  "/_usher/check?queue=checkout&deny=401",
  "/_usher/wait?queue=checkout",
])("a client gets no answer to a question that is nginx's to ask: %s", async (path) => {
  const answer = await new Browser().ask(path, { headers: PAGE });
  expect([answer.status, answer.headers["usher-pass"], answer.headers["set-cookie"]]).toEqual([
    ...[404, undefined, undefined],
  ]);
});

test.each([
  "/checkout/%2e%2e/elsewhere",
  "/checkout/../elsewhere",
  "/elsewhere/..;/checkout",
  "/elsewhere/%2e%2e;x=1/checkout",
  "/elsewhere/..%3bx/checkout",
  "/elsewhere/..%2fcheckout",
  "/elsewhere/..%5Ccheckout",
  "/elsewhere/..\\checkout",
  "/elsewhere/.%252e/checkout",
  "/%2563heckout",
  "/elsewhere#/../checkout",
])("a path that the shop could read as another one does not get there: %s", async (path) => {
  const before = shop.seen.length;
  const raw = await Raw.open(nginx.url);
  raw.send(`GET ${path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`);
  expect((await raw.answer()).status).toBe(400);
  expect(shop.seen.length).toBe(before);
});

test.each(["/%63heckout", "/elsewhere?to=/../checkout%2f", "/100%25", "/a.b/..c/.d/e..", "/a//b"])(
  "a path that means one thing to all goes its way: %s",
  async (path) => {
    const { status, text } = await new Browser().ask(path, { headers: PAGE });
    expect([status, text]).toEqual(
      path.startsWith("/%63") ? [202, expect.stringContaining("/%63heckout")] : [200, `shop: GET ${path} `],
    );
  },
);

test("a pass that somebody made up does not open the way through nginx", async () => {
  const { seen } = shop;
  const before = seen.length;
  const thief = new Browser();
  thief.cookies.set("usher-pass-checkout", "eyJhbGciOiJub25lIn0.e30.");
  expect((await thief.ask("/checkout", { headers: PAGE })).status).toBe(202);
  const header = await new Browser().ask("/checkout", {
    headers: { "usher-pass": "eyJhbGciOiJub25lIn0.e30." },
  });
  expect(header.status).toBe(429);
  expect(seen.length).toBe(before);
});

async function usherCalls(method: string, body: object): Promise<void> {
  const { statusCode, body: answer } = await request(
    `${usher.gatewayUrl}/usher.queue.v1.QueueService/${method}`,
    { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
  );
  expect([statusCode, await answer.text()]).toEqual([200, expect.anything()]);
}
