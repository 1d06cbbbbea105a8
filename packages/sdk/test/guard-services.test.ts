// The guard before services of all kinds, with passes that a real gateway gives out.

import { createServer, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { connect } from "node:http2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { answerOf, createGuard, type Guard } from "../src/guard.ts";
import { createClient } from "../src/index.ts";
import {
  type Guarded,
  http2,
  listening,
  nodeHttp,
  onExpress,
  onFastify,
  onFastifyRoute,
  onFetch,
  onHono,
} from "./support/guarded.ts";

const CONFIG = `
services: { shop: { url: "http://127.0.0.1:9" } }
queues:
  concert: { kind: pass, limit: { rate_per_second: 1000, max_active: 1000 }, max_wait: 1h }
routes:
  - { match: GET /concert, service: shop, queue: concert }
`;
const WAIT_AT = "https://tickets.example/concert";

let usher: Usher;
let guard: Guard;
let pass: string;
let ticketId: string;

beforeAll(async () => {
  usher = await startUsher({ config: CONFIG });
  using client = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
  const ticket = await client.issue("concert");
  const status = await ticket.admitted();
  pass = status.pass ?? "";
  ticketId = ticket.id;
  const jwks = `${usher.gatewayUrl}/_usher/jwks.json`;
  guard = createGuard({ jwks, queue: "concert", audience: "shop", waitAt: WAIT_AT, cookie: true });
});

afterAll(() => usher?.stop());

describe.each([
  ["node:http", nodeHttp],
  ["Express", onExpress],
  ["Fastify, as a hook of the whole", onFastify],
  ["Fastify, as a hook of a route", onFastifyRoute],
  ["fetch", onFetch],
  ["Hono", onHono],
] satisfies [string, (guard: Guard) => Promise<Guarded>][])("before %s", (_, open) => {
  it("who has a pass is let in, with what they sent, and the service knows their ticket", async () => {
    await using service = await open(guard);
    const answer = await fetch(`${service.url}/buy`, {
      method: "POST",
      headers: { "usher-pass": pass, "content-type": "text/plain" },
      body: "A1",
    });
    expect([answer.status, await answer.text()]).toEqual([200, "A1"]);
    expect(answer.headers.get("x-ticket")).toBe(ticketId);
  });

  it("a program without one is told where to wait, and no cache keeps that", async () => {
    await using service = await open(guard);
    const answer = await fetch(`${service.url}/buy`, { method: "POST", body: "A1" });
    expect(answer.status).toBe(403);
    expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-ticket")).toBeNull();
    expect(await answer.json()).toMatchObject({
      type: "urn:usher:problem:pass_required",
      status: 403,
      flaw: "missing",
      queues: ["concert"],
      wait_at: WAIT_AT,
    });
  });

  it("a browser that asks for a page is sent to wait, and one that sends a form too", async () => {
    await using service = await open(guard);
    for (const method of ["GET", "POST"])
      expect(
        await asBrowser(service, method, { "sec-fetch-mode": "navigate", accept: "text/html" }),
      ).toMatchObject({
        status: 303,
        headers: { location: WAIT_AT, "cache-control": "no-store" },
      });
    expect(await asBrowser(service, "GET", { accept: "text/html,*/*;q=0.8" })).toMatchObject({ status: 303 });
    const script = { "sec-fetch-mode": "cors", accept: "text/html" };
    expect(await asBrowser(service, "GET", script)).toMatchObject({ status: 403 });
  });

  it("the cookie that a browser has of the gateway is as good", async () => {
    await using service = await open(guard);
    for (const name of ["usher-pass-concert", "__Host-usher-pass-concert"]) {
      const answer = await fetch(service.url, { headers: { cookie: `a=b; ${name}=${pass}; c=d` } });
      expect([answer.status, answer.headers.get("x-ticket")]).toEqual([200, ticketId]);
    }
  });
});

it("whom the gateway lets through it lets in, and who comes around it is sent to it", async () => {
  let guard: Guard | undefined;
  await using service = await listening(
    createServer((req, res) =>
      guard?.node(() => {
        // The gateway takes its cookies away, so this one came around it.
        res.setHeader("x-direct", `${req.headers.cookie !== undefined}`);
        res.end(guard?.passOf(req).ticketId);
      })(req, res),
    ),
  );
  await using usher = await startUsher({ config: CONFIG.replace("http://127.0.0.1:9", service.url) });
  const waitAt = `${usher.gatewayUrl}/concert`;
  const jwks = `${usher.gatewayUrl}/_usher/jwks.json`;
  guard = createGuard({ jwks, queue: "concert", audience: "shop", waitAt, cookie: true });
  const navigates = { accept: "text/html" };
  expect(await asBrowser(service, "GET", navigates)).toMatchObject({
    status: 303,
    headers: { location: waitAt },
  });
  const cookies = new Map<string, string>();
  const cookie = () => [...cookies].map((pair) => pair.join("=")).join("; ");
  const ticket = await eventually(async () => {
    const answer = await fetch(waitAt, { headers: { cookie: cookie() } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const text = await answer.text();
    expect([answer.status, answer.headers.get("x-direct")]).toEqual([200, "false"]);
    return text;
  });
  const around = await fetch(service.url, { headers: { cookie: cookie() } });
  expect([around.status, around.headers.get("x-direct"), await around.text()]).toEqual([200, "true", ticket]);
});

it("before http2 in its compatible form, it is the same", async () => {
  await using service = await http2(guard);
  const session = connect(service.url);
  try {
    const ask = (headers: Record<string, string | string[]>) =>
      new Promise<Record<string, unknown>>((resolve, reject) => {
        const stream = session.request({ ":path": "/buy", ...headers });
        stream.on("error", reject).once("response", resolve).resume().end();
      });
    expect(await ask({ "usher-pass": pass })).toMatchObject({ ":status": 200, "x-ticket": ticketId });
    expect(await ask({})).toMatchObject({ ":status": 403, "content-type": "application/problem+json" });
    expect(await ask({ "usher-pass": [pass, pass] })).toMatchObject({ ":status": 403 });
  } finally {
    session.destroy();
  }
});

it("where the guard knows no place to wait, browsers too are told what is missing", async () => {
  const jwks = `${usher.gatewayUrl}/_usher/jwks.json`;
  await using service = await nodeHttp(createGuard({ jwks, queue: "concert", audience: "shop" }));
  const answer = await asBrowser(service, "GET", { "sec-fetch-mode": "navigate", accept: "text/html" });
  expect(answer).toMatchObject({ status: 403, headers: { "content-type": "application/problem+json" } });
  expect(answer.headers.location).toBeUndefined();
});

it("connections of another protocol are for those who have a pass, where the service asks", async () => {
  const server = createServer().on("upgrade", async (req, socket) => {
    const header = (name: string) => req.headers[name];
    const refusal = await guard.check(header, req);
    if (refusal === undefined) {
      const lines = ["HTTP/1.1 101 Switching Protocols", "connection: upgrade", "upgrade: echo"];
      socket.end(`${lines.join("\r\n")}\r\nx-ticket: ${guard.passOf(req).ticketId}\r\n\r\n`);
      return;
    }
    const { status, headers, body } = answerOf(refusal, header);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join("")}connection: close\r\n\r\n${body}`);
  });
  await using service = await listening(server);
  const upgrade = { connection: "upgrade", upgrade: "echo" };
  expect(await asBrowser(service, "GET", upgrade)).toMatchObject({
    status: 403,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
  });
  expect(await asBrowser(service, "GET", { ...upgrade, "usher-pass": pass })).toMatchObject({
    status: 101,
    headers: { "x-ticket": ticketId },
  });
});

it.each([
  ["Express", onExpress],
  ["Fastify", onFastifyRoute],
  ["Hono", onHono],
])("before %s, what is not behind the guard is for everybody", async (_, open) => {
  await using service = await open(guard);
  expect(await (await fetch(`${service.url}/free`)).text()).toBe("free");
});

it("what did not come through the guard has no pass to be asked for", () => {
  expect(() => guard.passOf({})).toThrow(expect.objectContaining({ code: "misused" }));
});

/** By node:http, since `fetch` would say of itself what no page does. */
function asBrowser(
  { url }: Guarded,
  method: string,
  headers: Record<string, string>,
): Promise<{ status: number | undefined; headers: IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/buy`, { method, headers, agent: false });
    const told = (answer: IncomingMessage) => {
      answer.resume();
      resolve({ status: answer.statusCode, headers: answer.headers });
    };
    sent.on("response", told).on("upgrade", told).on("error", reject).end();
  });
}
