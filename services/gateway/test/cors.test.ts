// Which pages may call from a browser, and read the answers.

import { once } from "node:events";
import { connect } from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import { Cors } from "../src/listener/cors.ts";
import type { Handler } from "../src/listener/exchange.ts";
import { answerProblem, problem } from "../src/listener/problem.ts";
import { respond } from "../src/listener/respond.ts";
import { openEdge } from "./support/edge.ts";
import { openForwarding, openHttp } from "./support/service.ts";

const SHOP = "https://shop.example";
const EVIL = "https://evil.example";
const cors = new Cors([SHOP, "http://localhost:5173"]);

const refuses: Handler = (req, res) => answerProblem(req, res, problem("queue_full", "come again", 7));
const answers: Handler = (_req, res) =>
  respond(res, 200, Object.entries({ location: "/x", "content-length": "2" }), Buffer.from("ok"));

/** The headers of CORS, and what else is said beside them. */
async function ask(
  port: number,
  init: RequestInit = {},
): Promise<{ status: number } & Record<string, unknown>> {
  const res = await fetch(`http://127.0.0.1:${port}/x`, init);
  await res.arrayBuffer();
  const said = [...res.headers].filter(([name]) => name.startsWith("access-control-") || name === "vary");
  return { status: res.status, ...Object.fromEntries(said) };
}
const from = (origin: string) => ({ headers: { origin } });

const ALLOWED = {
  "access-control-allow-origin": SHOP,
  "access-control-allow-credentials": "true",
  "access-control-expose-headers": expect.stringMatching(
    /Location.*Retry-After.*Usher-Ticket.*Usher-Idempotency-Key/,
  ),
  vary: "Origin",
};

describe("a page of an allowed origin", () => {
  test("may read Usher's answers, refusals, and what is refused at the door", async () => {
    const edge = await openEdge(answers, {}, { cors });
    expect(await ask(edge.port, from(SHOP))).toEqual({ status: 200, ...ALLOWED });
    const full = await openEdge(refuses, {}, { cors });
    expect(await ask(full.port, from(SHOP))).toEqual({ status: 503, ...ALLOWED });
    const wrong = { headers: { origin: SHOP, expect: "a-miracle" } };
    const session = connect(`http://127.0.0.1:${edge.port}`);
    onTestFinished(() => session.destroy());
    const stream = session.request({ ":path": "/x", ...wrong.headers }).resume();
    const [headers] = await once(stream, "response");
    expect(headers).toMatchObject({ ":status": 417, ...ALLOWED });
  });

  test("may read the service's answers, whoever the service says may", async () => {
    const port = await openHttp((_req, res) => {
      const headers = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "X-Other" };
      res.writeHead(200, { ...headers, Vary: "Accept-Encoding", "X-Kept": "1" }).end("fine");
    });
    const edge = await openForwarding(port, { listen: { cors } });
    const vary = "Accept-Encoding, Origin";
    expect(await ask(edge.port, from(SHOP))).toEqual({ status: 200, ...ALLOWED, vary });
  });

  test("is answered its preflight, for any method and headers, before any service hears of it", async () => {
    let heard = 0;
    const port = await openHttp((_req, res) => {
      heard += 1;
      res.end();
    });
    const edge = await openForwarding(port, { listen: { cors } });
    const headers = {
      origin: SHOP,
      "access-control-request-method": "DELETE",
      "access-control-request-headers": "connect-protocol-version,idempotency-key,usher-pass,x-grpc-web",
    };
    expect(await ask(edge.port, { method: "OPTIONS", headers })).toEqual({
      status: 204,
      ...ALLOWED,
      "access-control-allow-methods": "DELETE",
      "access-control-allow-headers": headers["access-control-request-headers"],
      "access-control-max-age": "7200",
      vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    });
    expect(heard).toBe(0);
    // Without the question it is the service's to answer.
    expect(await ask(edge.port, { method: "OPTIONS", ...from(SHOP) })).toMatchObject({ status: 200 });
    expect(heard).toBe(1);
  });
});

describe("a page of any other origin", () => {
  test.each([
    EVIL,
    "null",
    "https://shop.example.evil.example",
    "HTTPS://SHOP.EXAMPLE",
    "http://shop.example",
    "",
  ])("%j is told nothing that would let it read", async (origin) => {
    const edge = await openEdge(answers, {}, { cors });
    expect(await ask(edge.port, from(origin))).toEqual({ status: 200, vary: "Origin" });
  });

  test("is told what the service says, and so is its preflight", async () => {
    const port = await openHttp((req, res) => {
      res.writeHead(req.method === "OPTIONS" ? 204 : 200, { "Access-Control-Allow-Origin": EVIL }).end();
    });
    const edge = await openForwarding(port, { listen: { cors } });
    const told = { "access-control-allow-origin": EVIL, vary: "Origin" };
    expect(await ask(edge.port, from(EVIL))).toEqual({ status: 200, ...told });
    const preflight = { origin: EVIL, "access-control-request-method": "PUT" };
    expect(await ask(edge.port, { method: "OPTIONS", headers: preflight })).toEqual({ status: 204, ...told });
  });
});

test("where no origin is allowed, nothing is said, and services speak for themselves", async () => {
  const port = await openHttp((_req, res) => {
    res.writeHead(200, { "Access-Control-Allow-Origin": "*", Vary: "Accept" }).end();
  });
  const edge = await openForwarding(port, { listen: { cors: new Cors([]) } });
  const told = { status: 200, "access-control-allow-origin": "*", vary: "Accept" };
  expect(await ask(edge.port, from(SHOP))).toEqual(told);
  const own = await openEdge(answers, {}, { cors: new Cors([]) });
  expect(await ask(own.port, from(SHOP))).toEqual({ status: 200 });
});
