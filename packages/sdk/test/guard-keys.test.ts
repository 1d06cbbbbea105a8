// The keys that the guard fetches: from a gateway that is there, gone, slow, broken, or has new ones.

import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually } from "../../../test/support/eventually.ts";
import { runUsher, startUsher, type Usher } from "../../../test/support/usher.ts";
import { createGuard, type GuardOptions, type Refusal } from "../src/guard.ts";
import { createClient } from "../src/index.ts";
import { nodeHttp } from "./support/guarded.ts";
import { keysOf, Shower, Signer } from "./support/signer.ts";
import { deserted } from "./support/stranger.ts";

const CONFIG = `
services: { shop: { url: "http://127.0.0.1:9" } }
queues:
  concert: { kind: pass, limit: { rate_per_second: 1000, max_active: 1000 }, max_wait: 1h }
routes:
  - { match: GET /concert, service: shop, queue: concert }
`;
const TERMS = { queue: "concert", audience: "shop" };
/** Asks whenever there is reason to. */
const EAGER = { maxAge: 0, cooldown: 0 };
/** Never asks twice. */
const ONCE = { maxAge: 3_600_000, cooldown: 3_600_000 };

const LET_IN = undefined;
const UNTRUSTED = { reason: "pass_required", flaw: "untrusted" };
const UNAVAILABLE = { reason: "keys_unavailable", queues: ["concert"] };

const signer = await Signer.make("first");
const other = await Signer.make("second");

/** A guard, as one question: what of this pass? And what it has complained of. */
function checking(options: Pick<GuardOptions, "jwks" | "keys">): {
  check: (pass: string) => Promise<Refusal | undefined>;
  faults: unknown[];
} {
  const faults: unknown[] = [];
  const guard = createGuard({ ...TERMS, ...options, onFault: (error) => faults.push(error) });
  return { faults, check: (pass) => guard.check((name) => (name === "usher-pass" ? pass : undefined)) };
}

describe("with a real gateway", () => {
  it("keys are rotated without anybody noticing", async () => {
    await using usher = await startUsher({ config: CONFIG });
    const { check, faults } = checking({
      jwks: `${usher.gatewayUrl}/_usher/jwks.json`,
      keys: { cooldown: 0 },
    });
    const before = await passFrom(usher);
    expect(await check(before)).toBe(LET_IN);
    const keys = join(usher.data, "usher.keys.json");
    expect(await runUsher(["keys", "rotate", "signing", "--in", "0s", "--keys", keys])).toMatchObject({
      code: 0,
    });
    const after = await eventually(async () => {
      const pass = await passFrom(usher);
      expect(kidOf(pass)).not.toBe(kidOf(before));
      return pass;
    });
    expect(await check(after)).toBe(LET_IN);
    expect(await check(before)).toBe(LET_IN);
    expect(faults).toEqual([]);
  });

  it("while it is gone, who knows the keys goes on, and who does not lets nobody in until it is back", async () => {
    await using usher = await startUsher({ config: CONFIG });
    const jwks = `${usher.gatewayUrl}/_usher/jwks.json`;
    const pass = await passFrom(usher);
    const warm = checking({ jwks, keys: EAGER });
    const cold = checking({ jwks, keys: { cooldown: 0 } });
    expect(await warm.check(pass)).toBe(LET_IN);
    await usher.kill();
    for (let i = 0; i < 3; i++) expect(await warm.check(pass)).toBe(LET_IN);
    expect(warm.faults).not.toEqual([]);
    expect(await cold.check(pass)).toMatchObject({ ...UNAVAILABLE, retryAfter: 1_000 });
    expect(cold.faults).toHaveLength(1);
    await using _ = await startUsher({ config: CONFIG, data: usher.data, ports: usher.ports });
    expect(await cold.check(pass)).toBe(LET_IN);
  });
});

it("a hundred requests at once, and then a hundred more, are one question", async () => {
  await using shower = await Shower.start(signer);
  const { check } = checking({ jwks: shower.url });
  const passes = await Promise.all(Array.from({ length: 100 }, (_, i) => signer.pass({ jti: `${i}` })));
  expect(new Set(await Promise.all(passes.map(check)))).toEqual(new Set([LET_IN]));
  expect(new Set(await Promise.all(passes.map(check)))).toEqual(new Set([LET_IN]));
  expect(shower.asked).toBe(1);
});

it("what cannot be a pass is refused without a question", async () => {
  await using shower = await Shower.start(signer);
  const { check } = checking({ jwks: shower.url });
  const [header, claims, signature] = (await signer.pass()).split(".");
  const hs256 = Buffer.from(JSON.stringify({ alg: "HS256", typ: "usher-pass+jwt", kid: "first" })).toString(
    "base64url",
  );
  for (const pass of ["", "x", `${header}.${claims}.`, `${hs256}.${claims}.${signature}`])
    expect(await check(pass)).toBeDefined();
  expect(await check(await signer.pass({}, { kid: undefined }))).toMatchObject(UNTRUSTED);
  expect(shower.asked).toBe(0);
});

it("passes of keys that nobody knows are one question in a cooldown, however many come", async () => {
  await using shower = await Shower.start(signer);
  const { check } = checking({ jwks: shower.url, keys: ONCE });
  for (let i = 0; i < 20; i++)
    expect(await check(await signer.pass({}, { kid: `made-up-${i}` }))).toMatchObject(UNTRUSTED);
  expect(await check(await signer.pass())).toBe(LET_IN);
  expect(shower.asked).toBe(1);
});

it("a key that is new is asked for once the cooldown is over", async () => {
  await using shower = await Shower.start(signer);
  const { check } = checking({ jwks: shower.url, keys: { cooldown: 0 } });
  expect(await check(await signer.pass())).toBe(LET_IN);
  shower.show = keysOf(signer, other);
  expect(await check(await other.pass())).toBe(LET_IN);
  expect(await check(await other.pass())).toBe(LET_IN);
  expect(shower.asked).toBe(2);
});

it("a key that is gone is of no use once its minute is over", async () => {
  await using shower = await Shower.start(signer, other);
  const { check } = checking({ jwks: shower.url, keys: EAGER });
  expect(await check(await signer.pass())).toBe(LET_IN);
  shower.show = keysOf(other);
  expect(await check(await signer.pass())).toMatchObject(UNTRUSTED);
  shower.show = keysOf();
  expect(await check(await other.pass())).toMatchObject(UNTRUSTED);
});

describe.each<[string, (res: ServerResponse) => void]>([
  [
    "a page of HTML",
    (res) => res.setHeader("content-type", "text/html").end("<!doctype html><h1>Welcome</h1>"),
  ],
  ["JSON that is no set of keys", (res) => res.end(`{"keys":"none"}`)],
  ["a redirect to the keys", (res) => res.writeHead(302, { location: "/_usher/jwks.json?again" }).end()],
  ["500", (res) => res.writeHead(500).end()],
  ["a cut connection", (res) => res.destroy()],
  [
    "the half of it",
    (res) => res.writeHead(200, { "content-length": "1000" }).write("{", () => res.destroy()),
  ],
  ["more than any keys can be", (res) => res.end(`{"keys":[${" ".repeat(70_000)}]}`)],
  ["nothing, for longer than it may take", () => {}],
  ["the beginning, and nothing more", (res) => res.write(`{"keys":[`)],
])("where the keys should be there is %s:", (_, show) => {
  const keys = { cooldown: 0, timeout: 500 };
  /** On a machine that is busy, good keys may take longer than that too. */
  const letsIn = (check: (pass: string) => Promise<unknown>) =>
    eventually(async () => expect(await check(await signer.pass())).toBe(LET_IN));

  it("nobody is let in before there are keys", async () => {
    await using shower = await Shower.start();
    const { check, faults } = checking({ jwks: shower.url, keys });
    shower.show = show;
    expect(await check(await signer.pass())).toMatchObject(UNAVAILABLE);
    expect(faults).toMatchObject([{ message: expect.stringContaining(`had from ${shower.url}: `) }]);
    shower.show = keysOf(signer);
    await letsIn(check);
  });

  it("who knows the keys goes on with them, and takes no other", async () => {
    await using shower = await Shower.start(signer);
    const { check } = checking({ jwks: shower.url, keys: { ...keys, maxAge: 0 } });
    await letsIn(check);
    shower.show = show;
    expect(await check(await signer.pass())).toBe(LET_IN);
    expect(await check(await other.pass())).toMatchObject(UNAVAILABLE);
    expect(await check(await other.pass({}, { kid: "first" }))).toMatchObject(UNTRUSTED);
  });
});

it("why keys could not be had is told with the address, and the reason", async () => {
  const told = async (jwks: string): Promise<string> => {
    const { check, faults } = checking({ jwks });
    await check(await signer.pass());
    return `${faults[0]}`;
  };
  await using shower = await Shower.start();
  shower.show = (res) => res.writeHead(404).end();
  const missing = "it answers 404 instead of 200: a gateway shows them at /_usher/jwks.json";
  expect(await told(shower.url)).toBe(
    `Error: the keys of passes could not be had from ${shower.url}: ${missing}`,
  );
  const nobody = `http://127.0.0.1:${await deserted(createServer())}`;
  expect(await told(`${nobody}/keys?token=secret`)).toContain(
    `had from ${nobody}/keys: connect ECONNREFUSED`,
  );
});

it("keys that could not be asked for again in too long a time let nobody in", async () => {
  await using shower = await Shower.start(signer);
  const { check } = checking({ jwks: shower.url, keys: { ...EAGER, maxStale: 0 } });
  expect(await check(await signer.pass())).toBe(LET_IN);
  shower.show = (res) => res.writeHead(500).end();
  expect(await check(await signer.pass())).toMatchObject(UNAVAILABLE);
});

it("where there are no keys, a failed question is not put again within the cooldown, and its rest is told", async () => {
  await using shower = await Shower.start();
  shower.show = (res) => res.writeHead(500).end();
  const guard = createGuard({ ...TERMS, jwks: shower.url, waitAt: "/concert", keys: { cooldown: 60_000 } });
  await using service = await nodeHttp(guard);
  for (let i = 0; i < 5; i++) {
    const headers = { "usher-pass": await signer.pass(), accept: "text/html" };
    const answer = await fetch(service.url, { headers, redirect: "manual" });
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([503, "no-store"]);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(1);
    expect(Number(answer.headers.get("retry-after"))).toBeLessThanOrEqual(60);
    expect(await answer.json()).toMatchObject({ type: "urn:usher:problem:keys_unavailable", status: 503 });
  }
  expect(shower.asked).toBe(1);
});

it("a hundred requests at once that find no keys are one question too, and one complaint", async () => {
  await using shower = await Shower.start();
  shower.show = (res) => res.writeHead(500).end();
  const { check, faults } = checking({ jwks: shower.url, keys: { cooldown: 0 } });
  const pass = await signer.pass();
  const refusals = await Promise.all(Array.from({ length: 100 }, () => check(pass)));
  expect(new Set(refusals.map((refusal) => refusal?.reason))).toEqual(new Set(["keys_unavailable"]));
  expect([shower.asked, faults.length]).toEqual([1, 1]);
});

it("nobody waits for a gateway that has failed already, while there are keys", async () => {
  await using shower = await Shower.start(signer);
  const { check } = checking({ jwks: shower.url, keys: { ...EAGER, timeout: 3_600_000 } });
  expect(await check(await signer.pass())).toBe(LET_IN);
  shower.show = (res) => res.writeHead(500).end();
  expect(await check(await signer.pass())).toBe(LET_IN);
  const asked = Promise.withResolvers<ServerResponse>();
  shower.show = (res) => asked.resolve(res);
  expect(await check(await signer.pass())).toBe(LET_IN);
  // It has been let in, and the question is still open.
  const answer = await asked.promise;
  shower.show = keysOf(signer, other);
  shower.show(answer, answer.req);
  await eventually(async () => expect(await check(await other.pass())).toBe(LET_IN));
});

it("keys that are given are taken as they are, and never asked for", async () => {
  const { check } = checking({ jwks: { keys: [signer.jwk] } });
  expect(await check(await signer.pass())).toBe(LET_IN);
  expect(await check(await other.pass())).toMatchObject(UNTRUSTED);
});

it("what cannot be keys is told when the guard is made", () => {
  for (const jwks of ["jwks.json", "file:///jwks.json", { keys: [null] }] as GuardOptions["jwks"][])
    expect(() => createGuard({ ...TERMS, jwks })).toThrow(expect.objectContaining({ code: "misused" }));
});

async function passFrom(usher: Usher): Promise<string> {
  using client = createClient({ baseUrl: `http://${usher.nativeAddress}`, apiKey: usher.apiKey });
  const ticket = await client.issue("concert");
  return (await ticket.admitted()).pass ?? "";
}

function kidOf(pass: string): unknown {
  return JSON.parse(Buffer.from(pass.split(".")[0] ?? "", "base64url").toString()).kid;
}
