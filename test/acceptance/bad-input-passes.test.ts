// Passes that are none, at every door of a real node that takes passes: as a header, as a cookie, by a proxy's question
// over HTTP, and by Envoy's. What is wrong with them makes no difference: whoever brings one is somebody new, is given a
// ticket of their own, and waits.
//
//   sent: what the row says   comes back: 429 must_wait, and a ticket that is not Ann's (Envoy: denied, with the same)

import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Authorization, type CheckResponse } from "@usher/protocol/ext-authz";
import { type JWTPayload, SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { backendOf } from "../support/callers.ts";
import { Ledger } from "../support/ledger.ts";
import { residentBytes } from "../support/memory.ts";
import { refusalsCounted } from "../support/metrics.ts";
import { encoded, Forger, type Part } from "../support/passes.ts";
import { exchange } from "../support/raw.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const MiB = 1_024 * 1_024;
/** What memory may grow by, for all rows of this file together. */
const GROWTH_MAX = 160 * MiB;

/** One may be inside, and Ann is. */
const ONE = "kind: pass, limit: { max_active: 1 }, max_wait: 1h";

let shop: Service;
let usher: Usher;
let line: Ledger;
let forger: Forger;
let elsewhere: string;
let bytes_before: number;

beforeAll(async () => {
  shop = await startService();
  const config = `
trusted_proxies: [127.0.0.0/8]
services: { shop: { url: ${shop.url} } }
queues:
  sale: { ${ONE} }
  other: { ${ONE} }
  brief: { ${ONE} }
  line: { kind: defer, mode: paused, limit: { max_active: 1 }, max_wait: 1h }
routes:
  - { match: /sale/*, service: shop, queue: sale }
  - { match: /other/*, service: shop, queue: other }
  - { match: /brief/*, service: shop, queue: brief }
`;
  usher = await startUsher({ config });
  line = new Ledger(backendOf(usher), "line");
  forger = await Forger.of(usher, await admit("sale"));
  await using another = await startUsher({ config });
  elsewhere = (await backendOf(another).issue({ queue: "sale" })).status?.pass ?? "";
  bytes_before = await residentBytes(usher.pid);
});
afterEach(async () => {
  await line.takeNext();
});
afterAll(async () => {
  await line.check();
  expect((await residentBytes(usher.pid)) - bytes_before).toBeLessThan(GROWTH_MAX);
  expect(usher.output()).toContain("refused with 429 must_wait");
  expect(usher.output()).not.toMatch(/^\s+at /m);
  for (const { headers } of shop.seen) expect(headers["usher-ticket"]).toBe("1");
  await usher.stop();
  await shop.stop();
});

/** Takes the only place in a queue, and returns its pass. */
async function admit(queue: string): Promise<string> {
  const { status } = await backendOf(usher).issue({ queue });
  expect(status?.pass).toMatch(/^ey/);
  return status?.pass ?? "";
}

interface Told {
  readonly status: number;
  readonly type: string;
  readonly ticket: { readonly number: number; readonly state: string };
}

async function ask(path: string, headers: Record<string, string>): Promise<Told> {
  const res = await fetch(`${usher.gatewayUrl}${path}`, { headers });
  expect(res.headers.get("usher-pass")).toBeNull();
  expect(res.headers.getSetCookie().join()).not.toContain("usher-pass");
  return told(res.status, await res.text());
}

async function askAsEnvoy(headers: Record<string, string>): Promise<Told> {
  const client = createClient(Authorization, createGrpcTransport({ baseUrl: usher.gatewayUrl }));
  const http = { method: "GET", path: "/sale/1", host: "shop", scheme: "http", headers };
  const { status, httpResponse }: CheckResponse = await client.check(
    { attributes: { request: { http } } },
    { headers: { "sec-usher-check": "1" } },
  );
  expect(status?.code).not.toBe(0);
  if (httpResponse.case !== "deniedResponse") throw new Error(`not denied, but ${httpResponse.case}`);
  return told(httpResponse.value.status?.code ?? 0, httpResponse.value.body);
}

function told(status: number, body: string): Told {
  const { type, ticket } = JSON.parse(body) as Omit<Told, "status">;
  return { status, type, ticket };
}

/** Sees that a pass counts for nothing, wherever it stands. */
async function expectNothing(pass: string, queue = "sale"): Promise<void> {
  const header = { "usher-pass": pass };
  const cookie = { cookie: `usher-pass-${queue}=${pass}` };
  const check = `/_usher/check?queue=${queue}`;
  const mark = { "sec-usher-check": "1" };
  const answers = [
    await ask(`/${queue}/1`, header),
    await ask(`/${queue}/1`, cookie),
    await ask(`/${queue}/1`, { ...header, ...cookie }),
    await ask(check, { ...mark, ...header, "x-original-uri": `/${queue}/1` }),
    await ask(check, { ...mark, ...cookie, "x-forwarded-uri": `/${queue}/1` }),
    ...(queue === "sale" ? [await askAsEnvoy(header), await askAsEnvoy(cookie)] : []),
  ];
  for (const { status, type, ticket } of answers) {
    expect([status, type]).toEqual([429, "urn:usher:problem:must_wait"]);
    expect(ticket.state).toBe("TICKET_STATE_WAITING");
    expect(ticket.number).toBeGreaterThan(1);
  }
  expect(new Set(answers.map(({ ticket }) => ticket.number)).size).toBe(answers.length);
}

const rsa = () => generateKeyPairSync("rsa", { modulusLength: 2_048 });
const nist = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const stranger = generateKeyPairSync("ed25519");

/** Signed by somebody else, with their own key. */
function foreign(key: KeyObject, header: Part = {}): Promise<string> {
  const all = { ...forger.header, ...header };
  return new SignJWT({ ...forger.claims } as JWTPayload).setProtectedHeader(all as { alg: string }).sign(key);
}

/** A code under the public key, which everybody has, as if it were a secret. */
function hmac(alg: "HS256" | "HS512", key: string | Buffer): string {
  const text = forger.unsigned({ alg });
  return `${text}.${createHmac(`sha${alg.slice(2)}`, key)
    .update(text)
    .digest("base64url")}`;
}

const pem = () => forger.verifies.export({ format: "pem", type: "spki" }).toString();
const now_s = () => Math.floor(Date.now() / 1_000);
const parts = () => forger.pass.split(".") as [string, string, string];
const exp = () => Number(forger.claims.exp);

/** By class: what is sent, and how it is made. */
const TABLE: Record<string, readonly (readonly [what: string, make: () => string | Promise<string>])[]> = {
  "without a signature": [
    ["alg none", () => `${forger.unsigned({ alg: "none" })}.`],
    ["alg nOnE", () => `${forger.unsigned({ alg: "nOnE" })}.`],
    ["alg none, and the signature of another", () => `${forger.unsigned({ alg: "none" })}.${parts()[2]}`],
    ["alg none, signed", () => forger.signed({ alg: "none" })],
    ["no alg", () => forger.signed({ alg: undefined })],
    ["an empty alg", () => forger.signed({ alg: "" })],
    ["two parts", () => parts().slice(0, 2).join(".")],
  ],
  "of another family": [
    ["HS256 with the public key's PEM", () => hmac("HS256", pem())],
    ["HS256 with the public key's bytes", () => hmac("HS256", Buffer.from(publicX(), "base64url"))],
    ["HS512 with the JWK's x", () => hmac("HS512", publicX())],
    ["RS256", () => foreign(rsa().privateKey, { alg: "RS256" })],
    ["PS256", () => foreign(rsa().privateKey, { alg: "PS256" })],
    ["ES256", () => foreign(nist().privateKey, { alg: "ES256" })],
    ["five parts, as if encrypted", () => [...parts(), ...parts()].slice(0, 5).join(".")],
  ],
  "that says which key to take": [
    ["a kid that is a path", () => forger.signed({ kid: "../../../../dev/null" })],
    ["a kid that is an injection", () => forger.signed({ kid: "' OR 1=1 --" })],
    ["a kid that is a property of objects", () => forger.signed({ kid: "__proto__" })],
    ["a kid that is a list", () => forger.signed({ kid: [forger.header.kid] })],
    ["no kid", () => forger.signed({ kid: undefined })],
    ["a stranger's, under our kid", () => foreign(stranger.privateKey)],
    [
      "jwk",
      () =>
        foreign(stranger.privateKey, { jwk: createPublicKey(stranger.privateKey).export({ format: "jwk" }) }),
    ],
    ["jku, at the shop", () => foreign(stranger.privateKey, { jku: `${shop.url}/jwks.json` })],
    ["x5u, at the shop", () => foreign(stranger.privateKey, { x5u: `${shop.url}/chain.pem` })],
    ["x5c", () => foreign(stranger.privateKey, { x5c: ["MIIB"] })],
  ],
  "with a header of more, or another": [
    ["crit of exp", () => forger.signed({ crit: ["exp"], exp: 1 })],
    ["crit of nothing", () => forger.signed({ crit: [] })],
    ["crit of b64", () => forger.signed({ crit: ["b64"], b64: false })],
    ["zip", () => forger.signed({ zip: "DEF" })],
    ["typ JWT", () => forger.signed({ typ: "JWT" })],
    ["cty JWT", () => forger.signed({ cty: "JWT" })],
  ],
  "at a wrong time": [
    ["expired a second ago", () => forger.signed({}, { iat: now_s() - 600, exp: now_s() - 1 })],
    ["expired in 1970", () => forger.signed({}, { iat: 0, exp: 1 })],
    ["not yet valid (nbf)", () => forger.signed({}, { nbf: now_s() + 60 })],
    ["made after its end", () => forger.signed({}, { iat: exp() + 1 })],
    ["without exp", () => forger.signed({}, { exp: undefined })],
    ["exp null", () => forger.signed({}, { exp: null })],
    ["exp as a text", () => forger.signed({}, { exp: `${exp()}` })],
    ["exp of a fraction", () => forger.signed({}, { exp: exp() + 0.5 })],
    ["exp negative", () => forger.signed({}, { exp: -1 })],
    ["exp in a thousand years", () => forger.signed({}, { exp: exp() + 31_536_000_000 })],
    ["exp beyond whole numbers", () => forger.signed({}, { exp: 1e300 })],
  ],
  "of somebody or something else": [
    ["another issuer", () => forger.signed({}, { iss: "https://evil.example" })],
    ["no issuer", () => forger.signed({}, { iss: undefined })],
    ["another audience", () => forger.signed({}, { aud: ["bank"] })],
    ["no audience", () => forger.signed({}, { aud: undefined })],
    ["another queue, by its claim", () => forger.signed({}, { queue: "other" })],
    ["another queue, by its ticket", () => named(`${forger.claims.sub}`.replace("sale", "other"))],
    ["another epoch", () => named("sale:0123456789abcdef:1")],
    ["a ticket that is not there", () => named(`${forger.claims.sub}`.replace(/1$/, "4294967295"))],
    ["a ticket that is none", () => named("1")],
    ["another ticket's jti", () => forger.signed({}, { jti: `${forger.claims.sub}0.0` })],
    ["another deployment", () => elsewhere],
  ],
  "of a wrong shape": [
    ["nothing", () => ""],
    ["one word", () => "open"],
    ["dots alone", () => "..".repeat(20)],
    ["half of one", () => forger.pass.slice(0, forger.pass.length / 2)],
    ["all but its last character", () => forger.pass.slice(0, -1)],
    ["a character more", () => `${forger.pass}A`],
    ["the pass twice over", () => `${forger.pass}${forger.pass}`],
    ["two passes in one line", () => `${forger.pass},${forger.pass}`],
    ["as a bearer's", () => `Bearer ${forger.pass}`],
    ["padded", () => `${forger.pass}==`],
    ["claims that are a list", () => `${encoded(forger.header)}.${encoded([1])}.${parts()[2]}`],
    ["claims of 3,000 brackets", () => `${parts()[0]}.${"[".repeat(3_000)}.${parts()[2]}`],
  ],
};

function publicX(): string {
  return forger.verifies.export({ format: "jwk" }).x ?? "";
}

function named(ticket: string): string {
  return forger.signed({}, { sub: ticket, jti: `${ticket}.0` });
}

test("the good one, signed anew without a change, lets Ann in: what the table sends is wrong in one thing alone", async () => {
  expect(forger.signed()).toBe(forger.pass);
  for (const headers of [{ "usher-pass": forger.signed() }, { cookie: `usher-pass-sale=${forger.pass}` }]) {
    const res = await fetch(`${usher.gatewayUrl}/sale/1`, { headers });
    expect([res.status, await res.json()]).toEqual([200, expect.objectContaining({ target: "/sale/1" })]);
  }
});

describe.each(Object.entries(TABLE))("a pass %s", (_, rows) => {
  test.each(rows)("%s: 429 must_wait, as a newcomer", async (_, make) => {
    await expectNothing(await make());
  });

  test("is counted as what its bearer is: somebody who has to wait", async () => {
    const before = await refusalsCounted(usher, "must_wait");
    await expectNothing((await rows[0]?.[1]()) ?? "");
    // Envoy's two among them.
    expect(await refusalsCounted(usher, "must_wait")).toBe(before + 7);
  });
});

describe("a pass that is too long for a header", () => {
  test.each([
    ["9 KiB", 9 * 1_024],
    ["a mebibyte", MiB],
  ])("%s: 431 headers_too_large", async (_, length) => {
    const before = await refusalsCounted(usher, "headers_too_large");
    const pass = `${parts()[0]}.${"A".repeat(length)}.${parts()[2]}`;
    const [header, cookie] = [{ "usher-pass": pass }, { cookie: `usher-pass-sale=${pass}` }];
    for (const headers of [header, cookie]) {
      // A client that has not sent all of it may find the connection closed before it reads why.
      const res = await fetch(`${usher.gatewayUrl}/sale/1`, { headers }).catch(() => undefined);
      if (res !== undefined)
        expect([res.status, await res.json()]).toEqual([
          431,
          expect.objectContaining({ type: "urn:usher:problem:headers_too_large" }),
        ]);
    }
    expect(await refusalsCounted(usher, "headers_too_large")).toBe(before + 2);
  });

  test("to Envoy, 30 KiB: a newcomer, as with any other that is wrong; a mebibyte: RESOURCE_EXHAUSTED", async () => {
    const pass = `${parts()[0]}.${"A".repeat(30 * 1_024)}.${parts()[2]}`;
    expect(await askAsEnvoy({ "usher-pass": pass })).toMatchObject({ status: 429 });
    await expect(askAsEnvoy({ "usher-pass": "A".repeat(MiB) })).rejects.toThrow(/resource_exhausted/);
  });
});

describe("a good pass that is brought twice, or beside a wrong one", () => {
  const wrong = () => forger.signed({}, { exp: 1 });
  const duplicate = { status: 400, type: "urn:usher:problem:header_duplicate" };

  test("in two lines of Usher-Pass: 400 header_duplicate", async () => {
    const before = await refusalsCounted(usher, "header_duplicate");
    const raw = `GET /sale/1 HTTP/1.1\r\nHost: localhost\r\nUsher-Pass: ${forger.pass}\r\nUsher-Pass: ${wrong()}\r\n\r\n`;
    const answer = await exchange(usher.gatewayUrl, raw);
    expect(told(answer.status, answer.body)).toMatchObject(duplicate);
    expect(await refusalsCounted(usher, "header_duplicate")).toBe(before + 1);
  });

  test("in two cookies of one name that differ: 429 must_wait, for neither counts", async () => {
    for (const [one, two] of [
      [forger.pass, wrong()],
      [wrong(), forger.pass],
      [forger.pass, ""],
    ]) {
      const cookie = `usher-pass-sale=${one}; usher-pass-sale=${two}`;
      expect(await ask("/sale/1", { cookie })).toMatchObject({ status: 429 });
    }
  });

  test("in two visitors' cookies that differ: 400 header_duplicate, for nobody knows whose place is meant", async () => {
    const cookie = ["A", "B"].map((letter) => `usher-visitor=${letter.repeat(22)}`).join("; ");
    expect(await ask("/sale/1", { cookie })).toMatchObject(duplicate);
  });

  test.each<[string, () => Record<string, string>]>([
    ["as a cookie of another queue", () => ({ cookie: `usher-pass-other=${forger.pass}` })],
    ["as a cookie in other letters", () => ({ cookie: `Usher-Pass-Sale=${forger.pass}` })],
    ["as the cookie that only https has", () => ({ cookie: `__Host-usher-pass-sale=${forger.pass}` })],
    ["as a visitor's cookie", () => ({ cookie: `usher-visitor=${forger.pass}` })],
    ["as a bearer's token", () => ({ authorization: `Bearer ${forger.pass}` })],
    ["as a ticket", () => ({ "usher-ticket": "1", "x-usher-pass": forger.pass })],
  ])("%s: 429 must_wait", async (_, headers) => {
    expect(await ask("/sale/1", headers())).toMatchObject({
      status: 429,
      type: "urn:usher:problem:must_wait",
    });
  });

  test("in the query: 429 must_wait", async () => {
    expect(await ask(`/sale/1?usher-pass=${forger.pass}`, {})).toMatchObject({ status: 429 });
  });

  test("at another queue's route: 429 must_wait, though it is good at its own", async () => {
    await admit("other");
    await expectNothing(forger.pass, "other");
  });
});

test("a hundred uses of one pass at once: all served, by one ticket in one slot", async () => {
  const before = shop.seen.length;
  const headers = { "usher-pass": forger.pass };
  const statuses = await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      const res = await fetch(`${usher.gatewayUrl}/sale/${n}`, { headers });
      await res.arrayBuffer();
      return res.status;
    }),
  );
  expect(statuses).toEqual(Array(100).fill(200));
  expect(shop.seen.length - before).toBe(100);
  const { queue } = await backendOf(usher).getQueue({ queue: "sale" });
  expect(queue?.nowServing).toBe(1);
  expect(Number(queue?.lastNumber) - 1).toBe(Number(queue?.waiting));
});

test("a pass whose ticket is completed: 429 must_wait, a hundred times at once, though its time is not over", async () => {
  const backend = backendOf(usher);
  const pass = await admit("brief");
  const { sub } = JSON.parse(Buffer.from(pass.split(".")[1] ?? "", "base64url").toString()) as {
    sub: string;
  };
  await backend.complete({ ticketId: sub });
  // Somebody else has the slot now.
  await admit("brief");
  const before = shop.seen.length;
  await expectNothing(pass, "brief");
  const told = await Promise.all(Array.from({ length: 100 }, () => ask("/brief/1", { "usher-pass": pass })));
  expect(new Set(told.map(({ status }) => status))).toEqual(new Set([429]));
  expect(shop.seen).toHaveLength(before);
});
