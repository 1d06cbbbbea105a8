// Ways around a line of people, and lies about who somebody is: by paths, forwarding headers, pages of other origins,
// upgrades, proxies' questions, and plain HTTP on a port of TLS. Nothing gets to the service, and nobody past the line.

import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Authorization } from "@usher/protocol/ext-authz";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { backendOf } from "../support/callers.ts";
import { certificate } from "../support/certificate.ts";
import { Ledger } from "../support/ledger.ts";
import { residentBytes } from "../support/memory.ts";
import { refusalsCounted } from "../support/metrics.ts";
import { exchange, Raw, type RawAnswer } from "../support/raw.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher, usherProgram } from "../support/usher.ts";

const MiB = 1_024 * 1_024;
/** What memory may grow by, for all rows of this file together. */
const GROWTH_MAX = 128 * MiB;

const PAGE = "https://shop.example";

let shop: Service;
/** Believes nobody. */
let usher: Usher;
/** Believes whoever connects from this machine. */
let behind: Usher;
let line: Ledger;
/** What the shop had seen before the test. */
let before: number;
let bytes_before: number;

beforeAll(async () => {
  shop = await startService();
  const config = `
allowed_origins: [${PAGE}]
services: { shop: { url: ${shop.url} } }
queues:
  sale: { kind: pass, limit: { max_active: 1 }, max_wait: 1h }
  line: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h }
routes:
  - { match: /public/*, service: shop }
  - { match: /line, service: shop, queue: line, hold: 0s }
  - { match: /sale/*, service: shop, queue: sale, upgrade: true }
`;
  usher = await startUsher({ config });
  behind = await startUsher({ config: `trusted_proxies: [127.0.0.0/8]\n${config}` });
  // The only place is taken.
  for (const node of [usher, behind]) await backendOf(node).issue({ queue: "sale" });
  line = new Ledger(backendOf(usher), "line");
  bytes_before = await residentBytes(usher.pid);
});
beforeEach(() => {
  before = shop.seen.length;
});
afterEach(async () => {
  await line.takeNext();
});
afterAll(async () => {
  await line.check();
  expect((await residentBytes(usher.pid)) - bytes_before).toBeLessThan(GROWTH_MAX);
  for (const reason of ["target_ambiguous", "target_not_path", "must_wait", "upgrade_refused"])
    expect(usher.output()).toMatch(new RegExp(`refused with \\d{3} ${reason}`));
  expect(usher.output() + behind.output()).not.toMatch(/^\s+at /m);
  await Promise.all([usher.stop(), behind.stop()]);
  await shop.stop();
});

/** Status and reason of a problem. */
function problemIn({ status, body }: Pick<RawAnswer, "status" | "body">): string {
  const { type } = JSON.parse(body) as { type: string };
  return `${status} ${type.replace("urn:usher:problem:", "")}`;
}

function get(target: string, headers = ""): Promise<RawAnswer> {
  return exchange(usher.gatewayUrl, `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
}

/** As a proxy asks that is believed. */
function question(target: string, headers = ""): Promise<RawAnswer> {
  const mark = "Sec-Usher-Check: 1\r\n";
  return exchange(behind.gatewayUrl, `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${mark}${headers}\r\n`);
}

/** Without it, routes are not asked. */
const BY_GET = "X-Original-Method: GET\r\n";
const ASK = { authority: "localhost", scheme: "http", method: "GET" };

describe("a path that another reads as one of the line's", () => {
  test.each([
    ["/public/../sale/1", "400 target_ambiguous"],
    ["/public/%2e%2e/sale/1", "400 target_ambiguous"],
    ["/public/.%2E/sale/1", "400 target_ambiguous"],
    ["/public/..;/sale/1", "400 target_ambiguous"],
    ["/public/..%2fsale/1", "400 target_ambiguous"],
    ["/public%2f..%2fsale/1", "400 target_ambiguous"],
    ["/public/..\\sale/1", "400 target_ambiguous"],
    ["/public/..%5csale/1", "400 target_ambiguous"],
    ["/public/%c0%ae%c0%ae/sale/1", "400 target_malformed"],
    ["/public/..%00/sale/1", "400 target_malformed"],
    ["//sale/1", "400 target_not_path"],
    ["///sale/1", "400 target_not_path"],
    ["http://localhost/sale/1", "400 target_not_path"],
    ["/./sale/1", "400 target_ambiguous"],
    ["/sale/./1", "400 target_ambiguous"],
    ["/%73ale/1", "429 must_wait"],
    ["/sal%65/1", "429 must_wait"],
    ["/sale/1?x=/public/1", "429 must_wait"],
    ["/SALE/1", "404 route_not_found"],
    ["/sale;x=1/1", "404 route_not_found"],
    ["/%2573ale/1", "404 route_not_found"],
    ["/public/%252e%252e/sale/1", "400 target_ambiguous"],
    ["/sale;a%252fb/1", "400 target_ambiguous"],
    ["/public%252f..%252fsale/1", "400 target_ambiguous"],
    ["/_usher/../sale/1", "400 target_ambiguous"],
    ["/_usher/%2e%2e/sale/1", "400 target_ambiguous"],
    ["/livez/../sale/1", "400 target_ambiguous"],
    ["/usher.queue.v1.QueueService/../sale/1", "400 target_ambiguous"],
  ])("%s: %s, asked for, or asked about by nginx or Envoy", async (target, told) => {
    expect(problemIn(await get(target))).toBe(told);
    if (!target.includes("\\")) {
      const check = await question("/_usher/check", `${BY_GET}X-Original-URI: ${target}\r\n`);
      expect(problemIn(check)).toBe(told);
    }
    const envoy = createClient(Authorization, createGrpcTransport({ baseUrl: behind.gatewayUrl }));
    const { httpResponse } = await envoy.check(
      { attributes: { request: { http: { ...ASK, path: target } } } },
      { headers: { "sec-usher-check": "1" } },
    );
    if (httpResponse.case !== "deniedResponse") throw new Error(`not denied, but ${httpResponse.case}`);
    const { status, body } = httpResponse.value;
    expect(problemIn({ status: status?.code ?? 0, body })).toBe(told);
    expect(shop.seen).toHaveLength(before);
  });

  test("is counted by its reason", async () => {
    const counted = await refusalsCounted(usher, "target_ambiguous");
    await get("/public/../sale/1");
    expect(await refusalsCounted(usher, "target_ambiguous")).toBe(counted + 1);
  });
});

describe("who says that they are somebody else", () => {
  const claims: readonly (readonly [string, Record<string, string>])[] = [
    ["X-Forwarded-For of somewhere else", { "x-forwarded-for": "203.0.113.7" }],
    ["X-Forwarded-For of this machine", { "x-forwarded-for": "127.0.0.1, ::1" }],
    ["X-Forwarded-Proto of https", { "x-forwarded-proto": "https" }],
    ["X-Forwarded-Host", { "x-forwarded-host": "evil.example" }],
    ["Forwarded", { forwarded: "for=203.0.113.7;proto=https;host=evil.example" }],
    ["X-Real-IP", { "x-real-ip": "203.0.113.7" }],
    [
      "another path",
      { "x-original-uri": "/public/1", "x-original-url": "/public/1", "x-rewrite-url": "/public/1" },
    ],
    ["another method", { "x-http-method-override": "DELETE", "x-original-method": "DELETE" }],
    ["a ticket", { "usher-ticket": "1", "usher-visitor": "A".repeat(22) }],
  ];

  test.each(claims)(
    "%s, to a node that trusts no proxy: 429 must_wait, as a client of plain http",
    async (_, headers) => {
      const res = await fetch(`${usher.gatewayUrl}/sale/1`, { headers });
      const body = await res.text();
      expect(problemIn({ status: res.status, body })).toBe("429 must_wait");
      expect(res.headers.getSetCookie()).toEqual([
        expect.stringMatching(/^usher-visitor=[\w-]{22}; (?!.*Secure)/),
      ]);
      expect(body + [...res.headers]).not.toMatch(/evil|203\.0\.113/);
      expect(shop.seen).toHaveLength(before);
    },
  );

  test.each(claims)("%s, on a way past the line: the service hears nothing of it", async (what, headers) => {
    const res = await fetch(`${usher.gatewayUrl}/public/1`, { headers });
    expect(res.status).toBe(200);
    const seen = shop.seen.at(-1);
    expect(seen).toMatchObject({ method: "GET", target: "/public/1" });
    expect(seen?.headers).toMatchObject({ "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http" });
    for (const name of ["usher-ticket", "usher-pass"]) expect(seen?.headers[name]).toBeUndefined();
    // Headers that nobody believes here are the service's to read, or not.
    if (!what.startsWith("another")) expect(JSON.stringify(seen?.headers)).not.toMatch(/evil|203\.0\.113/);
  });

  test.each<[string, Record<string, string>]>([
    ["no scheme at all", { "x-forwarded-proto": "javascript" }],
    ["two schemes", { "x-forwarded-proto": "https, gopher" }],
    ["a host with a path", { "x-forwarded-proto": "http", "x-forwarded-host": "evil.example/x" }],
    ["a host with somebody's name", { "x-forwarded-host": "me@evil.example" }],
    ["no addresses", { "x-forwarded-for": "unknown, , 999.1.1.1, <script>" }],
    ["a thousand hops", { "x-forwarded-for": Array(400).fill("203.0.113.7").join(", ") }],
    ["Forwarded that is broken off", { forwarded: 'for="[2001:db8::1' }],
    ["Forwarded of separators alone", { forwarded: ";,".repeat(1_000) }],
  ])(
    "a trusted proxy that says %s: 429 must_wait, as of plain http, and no header of the service has it",
    async (_, headers) => {
      const res = await fetch(`${behind.gatewayUrl}/sale/1`, { headers });
      const body = await res.text();
      expect(problemIn({ status: res.status, body })).toBe("429 must_wait");
      expect(res.headers.getSetCookie()).toEqual([
        expect.stringMatching(/^usher-visitor=[\w-]{22}; (?!.*Secure)/),
      ]);
      await fetch(`${behind.gatewayUrl}/public/1`, { headers });
      const told = JSON.stringify(shop.seen.at(-1)?.headers);
      expect(told).not.toMatch(/evil|script|gopher|999/);
      expect(told.length).toBeLessThan(2_000);
    },
  );
});

describe("a page of an origin that is not allowed", () => {
  const PLACES = [
    "/sale/1",
    "/_usher/tickets/x",
    "/_usher/check?queue=sale",
    "/usher.queue.v1.QueueService/Issue",
  ];

  test.each([
    ["https://evil.example"],
    ["null"],
    ["https://shop.example.evil.example"],
    ["https://evil.shop.example"],
    ["http://shop.example"],
    ["https://shop.example:8443"],
    ["HTTPS://SHOP.EXAMPLE"],
    ["https://shop.example/"],
    [`${PAGE}, https://evil.example`],
    ["*"],
  ])("%s may read nothing, and its preflight is granted nothing", async (origin) => {
    for (const place of PLACES) {
      const url = `${usher.gatewayUrl}${place}`;
      const preflight = {
        origin,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "usher-pass",
      };
      for (const init of [{ headers: { origin } }, { method: "OPTIONS", headers: preflight }]) {
        const res = await fetch(url, init);
        await res.arrayBuffer();
        const granted = [...res.headers.keys()].filter((name) => name.startsWith("access-control-"));
        expect([place, granted]).toEqual([place, []]);
        expect(res.headers.get("vary")).toContain("Origin");
      }
    }
    expect(shop.seen).toHaveLength(before);
  });

  test("takes no place in the line by asking whether it may: 429 must_wait, and no ticket", async () => {
    const backend = backendOf(usher);
    const { queue } = await backend.getQueue({ queue: "sale" });
    const headers = { origin: "https://evil.example", "access-control-request-method": "PUT" };
    const res = await fetch(`${usher.gatewayUrl}/sale/1`, { method: "OPTIONS", headers });
    expect(problemIn({ status: res.status, body: await res.text() })).toBe("429 must_wait");
    expect(res.headers.getSetCookie()).toEqual([]);
    expect((await backend.getQueue({ queue: "sale" })).queue?.lastNumber).toBe(queue?.lastNumber);
  });
});

describe("a wish to go on in another protocol, past the line", () => {
  const WISH = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";

  test.each([
    ["without a pass", "429 must_wait", "GET /sale/1 HTTP/1.1", WISH],
    ["with a pass that is none", "429 must_wait", "GET /sale/1 HTTP/1.1", `${WISH}Usher-Pass: x.y.z\r\n`],
    [
      "to h2c",
      "429 must_wait",
      "GET /sale/1 HTTP/1.1",
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n",
    ],
    [
      "to two protocols",
      "501 upgrade_refused",
      "GET /sale/1 HTTP/1.1",
      "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
    ],
    ["with a body", "501 upgrade_refused", "POST /sale/1 HTTP/1.1", `${WISH}Content-Length: 0\r\n`],
    ["in HTTP/1.0", "501 upgrade_refused", "GET /sale/1 HTTP/1.0", WISH],
    ["where the route has none", "501 upgrade_refused", "GET /public/1 HTTP/1.1", WISH],
    ["for a request that would be stored", "501 upgrade_refused", "GET /line HTTP/1.1", WISH],
    ["by a tunnel", "501 method_refused", "CONNECT localhost:80 HTTP/1.1", ""],
  ])("%s: %s, and nothing that is sent behind it reaches the service", async (_, told, first, headers) => {
    const raw = await Raw.open(usher.gatewayUrl);
    raw.send(`${first}\r\nHost: localhost\r\n${headers}\r\n`);
    const answer = await raw.answer();
    expect(problemIn(answer)).toBe(told);
    raw.send("GET /public/smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const rest = await raw.closed();
    // Where HTTP goes on, it is a request of its own, and no one's tunnel.
    if (rest === "") expect(shop.seen).toHaveLength(before);
    else expect(shop.seen.slice(before).map(({ target }) => target)).toEqual(["/public/smuggled"]);
  });

  test("is counted by its reason", async () => {
    const counted = await refusalsCounted(usher, "upgrade_refused");
    await get("/public/1", WISH);
    expect(await refusalsCounted(usher, "upgrade_refused")).toBe(counted + 1);
  });
});

describe.each(["/_usher/check", "/_usher/wait"])("a proxy's question at %s", (path) => {
  const SALE = `${BY_GET}X-Original-URI: /sale/1\r\n`;

  test.each([
    ["that names no request", "400 request_malformed", "", ""],
    ["of an empty target", "400 target_not_path", "", `${BY_GET}X-Original-URI:\r\n`],
    ["of a queue that is not there", "404 queue_not_found", "?queue=nowhere", SALE],
    ["of a queue without a name", "404 queue_not_found", "?queue=", SALE],
    ["of a queue that is a path", "404 queue_not_found", "?queue=../sale", SALE],
    ["of a queue with a zero byte", "404 queue_not_found", "?queue=sale%00", SALE],
    ["of a property of objects", "404 queue_not_found", "?queue=__proto__", SALE],
    ["of a queue in which requests wait", "404 queue_not_found", "?queue=line", SALE],
    ["about a line of requests", "404 queue_not_found", "", `${BY_GET}X-Original-URI: /line\r\n`],
    [
      "about a target of another host",
      "400 target_not_path",
      "?queue=sale",
      "X-Original-URI: //evil.example/\r\n",
    ],
    ["about a URL", "400 target_not_path", "?queue=sale", "X-Forwarded-Uri: https://evil.example/\r\n"],
    [
      "about a path that leads elsewhere",
      "400 target_ambiguous",
      "",
      `${BY_GET}X-Original-URI: /public/%2e%2e/sale/1\r\n`,
    ],
    [
      "about a line's end",
      "400 target_malformed",
      "?queue=sale",
      "X-Original-URI: /sale/1%0d%0aSet-Cookie:x\r\n",
    ],
    ["about no route", "404 route_not_found", "", `${BY_GET}X-Original-URI: /nowhere\r\n`],
    ["about the target twice", "400 target_malformed", "", `${SALE}X-Original-URI: /public/1\r\n`],
    [
      "about the client's target beside the proxy's",
      "400 request_malformed",
      "",
      `${SALE}X-Forwarded-Uri: /public/1\r\n`,
    ],
    [
      "about the same, the other way round",
      "400 request_malformed",
      "",
      `${BY_GET}X-Original-URI: /public/1\r\nX-Forwarded-Uri: /sale/1\r\n`,
    ],
    ["about two methods", "400 request_malformed", "", `${SALE}X-Forwarded-Method: POST\r\n`],
    [
      "about a method that is none",
      "501 method_refused",
      "",
      "X-Original-URI: /sale/1\r\nX-Original-Method: G E T\r\n",
    ],
    [
      "about a method in small letters",
      "501 method_refused",
      "?queue=sale",
      "X-Original-URI: /sale/1\r\nX-Original-Method: post\r\n",
    ],
    ["about no method", "400 request_malformed", "", "X-Original-URI: /sale/1\r\n"],
    [
      "about a target that is too long",
      "431 headers_too_large",
      "?queue=sale",
      `X-Original-URI: /${"x".repeat(9_000)}\r\n`,
    ],
  ])("%s: %s", async (_, told, query, headers) => {
    const answer = await question(`${path}${query}`, headers);
    expect(problemIn(answer)).toBe(told);
    expect(answer.headers.get("location")).toBeNull();
    expect(answer.headers.get("usher-pass")).toBeNull();
  });

  test("is counted by its reason", async () => {
    const counted = await refusalsCounted(behind, "queue_not_found");
    await question(`${path}?queue=nowhere`, SALE);
    expect(await refusalsCounted(behind, "queue_not_found")).toBe(counted + 1);
  });

  test("from somebody who is no proxy: 403 asker_refused, whatever they say of themselves, and counted", async () => {
    const spoofed = `X-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\nSec-Usher-Check: 1\r\n`;
    const counted = await refusalsCounted(usher, "asker_refused");
    expect(problemIn(await get(`${path}?queue=sale`, SALE))).toBe("403 asker_refused");
    expect(problemIn(await get(`${path}?queue=sale`, `${SALE}${spoofed}`))).toBe("403 asker_refused");
    expect(await refusalsCounted(usher, "asker_refused")).toBe(counted + 2);
  });

  test("that a proxy passes on, and does not ask: 403 asker_refused", async () => {
    for (const mark of ["", "Sec-Usher-Check:\r\n", "Sec-Usher-Check: 1\r\nSec-Usher-Check: 1\r\n"]) {
      const bytes = `GET ${path}?queue=sale HTTP/1.1\r\nHost: localhost\r\n${SALE}${mark}\r\n`;
      expect(problemIn(await exchange(behind.gatewayUrl, bytes))).toBe("403 asker_refused");
    }
  });
});

describe("a port of TLS", () => {
  /** A hello that promises more than comes. */
  const HELLO = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

  test("that is spoken to in plain HTTP says 400 tls_required, closes on what is neither, and goes on", async () => {
    const directory = await mkdtemp(join(tmpdir(), "usher-tls-"));
    await writeFile(join(directory, "cert.pem"), certificate.cert);
    await writeFile(join(directory, "key.pem"), certificate.key);
    const listen = "{ port: 0, grpc_port: 0, metrics_port: off, tls: { cert: cert.pem, key: key.pem } }";
    const config = `listen: ${listen}\nservices: { shop: { url: ${shop.url} } }\nroutes: [{ match: /*, service: shop }]\n`;
    await writeFile(join(directory, "usher.yaml"), config);
    const program = usherProgram(["serve", "--config", join(directory, "usher.yaml")]);
    try {
      const [, port = ""] = await program.says(/gateway +https:\/\/localhost:(\d+)/);
      const url = `http://127.0.0.1:${port}`;
      const headers = "Host: localhost\r\nUsher-Pass: x\r\n\r\n";
      for (const first of ["GET /sale/1", "POST /usher.queue.v1.QueueService/Issue", "PUT /", "OPTIONS *"])
        expect(problemIn(await exchange(url, `${first} HTTP/1.1\r\n${headers}`))).toBe("400 tls_required");
      for (const bytes of [
        HELLO,
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\0\0\0\0",
        "SSH-2.0-x\r\n",
        "\x16\x03\x01\xff\xff",
      ]) {
        const raw = (await Raw.open(url)).send(bytes);
        raw.socket.end();
        // TLS has words of its own for what only begins like it.
        const said = await raw.closed();
        if (!said.startsWith("\x15\x03")) expect(said).toMatch(/^(HTTP\/1\.1 400 .*tls_required.*)?$/s);
        const req = request(`https://localhost:${port}/_usher/jwks.json`, { ca: certificate.cert }).end();
        const [res] = await once(req, "response");
        expect(res.resume().statusCode).toBe(200);
      }
      expect(program.output).toContain("refused with 400 tls_required");
    } finally {
      await program.stop();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
